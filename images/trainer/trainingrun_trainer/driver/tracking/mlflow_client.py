"""One MLflow run, through the client of the package `mlflow-skinny`, which is loaded only when it is needed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from trainingrun.spec.tracking import MLflow
from trainingrun_trainer.driver.tracking.description import IDENTITY_TAG, Description, End
from trainingrun_trainer.driver.tracking.tracker import Point, Refused

# Of its client, which would try for many minutes: a try of ours follows anyway. No reports to its makers.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# The server's own limits of one request, and of a parameter's and a tag's text.
_MOST_METRICS, _MOST_PARAMETERS = 1000, 100
_LONGEST_PARAMETER, _LONGEST_TAG, _LONGEST_NAME = 6000, 5000, 250
_STATUS: dict[End, str] = {"Finished": "FINISHED", "Failed": "FAILED", "Stopped": "KILLED"}


class MlflowRun:
    """See `tracker.Client`. The run is found again by a tag, since only the server gives out its id."""

    def __init__(self, wanted: MLflow, description: Description):
        self._wanted = wanted
        self._description = description
        self._client: Any = None
        self._run_id = ""

    def open(self) -> None:
        """See Client."""
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        with _told(self._wanted):
            self._client = MlflowClient(tracking_uri=self._wanted.uri)
            experiment = self._experiment()
            where = f"tags.`{IDENTITY_TAG}` = '{self._description.identity}'"
            found = self._client.search_runs([experiment], where, max_results=1)
            tags = {name: value[:_LONGEST_TAG] for name, value in self._description.tags.items()}
            run = found[0] if found else self._client.create_run(experiment, tags=tags, run_name=self._description.name)
            self._run_id = run.info.run_id
            if found:
                self._client.update_run(self._run_id, status="RUNNING")
            self._tell_parameters(run.data.params)

    def send(self, points: list[Point]) -> None:
        """See Client."""
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, round(1000 * point.time), point.step)
            for point in points
            for name, value in point.values.items()
        ]
        with _told(self._wanted):
            for first in range(0, len(metrics), _MOST_METRICS):
                self._client.log_batch(self._run_id, metrics=metrics[first : first + _MOST_METRICS])

    def close(self, end: End | None, outcome: str) -> None:
        """See Client."""
        with _told(self._wanted):
            self._client.set_tag(self._run_id, "trainingrun.outcome", outcome)
            if end is not None:
                self._client.set_terminated(self._run_id, _STATUS[end], end_time=round(1000 * time.time()))

    def _experiment(self) -> str:
        name = self._wanted.experiment
        if (known := self._client.get_experiment_by_name(name)) is None:
            try:
                return str(self._client.create_experiment(name))
            except Exception:  # another run may have made it meanwhile
                if (known := self._client.get_experiment_by_name(name)) is None:
                    raise
        return str(known.experiment_id)

    def _tell_parameters(self, known: dict[str, str]) -> None:
        """Tell the parameters. One that is known cannot be changed: what became of it is told as a tag."""
        from mlflow.entities import Param, RunTag

        given = {
            name[:_LONGEST_NAME]: value[:_LONGEST_PARAMETER] for name, value in self._description.parameters.items()
        }
        new = [Param(name, value) for name, value in given.items() if name not in known]
        for first in range(0, len(new), _MOST_PARAMETERS):
            self._client.log_batch(self._run_id, params=new[first : first + _MOST_PARAMETERS])
        changed = [
            RunTag(f"changed.{name}"[:_LONGEST_NAME], value[:_LONGEST_TAG])
            for name, value in given.items()
            if known.get(name, value) != value
        ]
        if changed:
            self._client.log_batch(self._run_id, tags=changed[:_MOST_PARAMETERS])


@contextlib.contextmanager
def _told(wanted: MLflow) -> Iterator[None]:
    """What the server refuses, in words."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()
        if status in (401, 403):
            keys = "MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            raise PermissionError(
                f"{wanted.uri} refuses the credentials ({status}); spec.tracking.mlflow.secretRef names the Secret "
                f"with {keys}; on one machine they are variables of the environment"
            ) from error
        if status == 400:
            raise Refused(f"{wanted.uri} does not accept it: {error.message}") from error
        raise ConnectionError(f"{wanted.uri}: {error.message}") from error
