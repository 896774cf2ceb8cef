"""The progress protocol, which is Kubeflow Trainer's (KEP-2779): where pods report, by which variables, in which JSON.

The driver writes reports with it and the operator's endpoint reads them, so the two cannot differ; what reports to
Kubeflow Trainer reports to us as well. A report comes from a pod, so nothing of it is taken on trust: every size is
bounded. What the metrics of a report mean is in `progress_metrics`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trainingrun.contract.labels import API_VERSION

# Where a report is posted: a path for `str.format` and for aiohttp's router alike.
ROUTE = "/apis/v1beta1/namespaces/{namespace}/trainingruns/{name}/status"
# The variables of a pod that may report: the address for its run, and files with the authority and the token.
URL_VARIABLE = "KUBEFLOW_TRAINER_SERVER_URL"
CA_VARIABLE = "KUBEFLOW_TRAINER_SERVER_CA_CERT"
TOKEN_VARIABLE = "KUBEFLOW_TRAINER_SERVER_TOKEN"  # noqa: S105 - the name of a variable that holds a path

MAX_BYTES = 64 * 1024
MAX_METRICS = 256
# What every JSON reader can hold.
MAX_SECONDS = 2**53 - 1


class InvalidReport(ValueError):
    """It is not a report. The message is a sentence for whoever made it."""


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


class ReportedMetric(_Strict):
    """A metric: its value is text, also where it is a number."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    value: Annotated[str, Field(max_length=256)]


class ProgressReport(_Strict):
    """One report: how far training is, how long it will take, and its metrics."""

    progress_percentage: Annotated[int, Field(ge=0, le=100)] | None = None
    estimated_remaining_seconds: Annotated[int, Field(ge=0, le=MAX_SECONDS)] | None = None
    metrics: Annotated[tuple[ReportedMetric, ...], Field(max_length=MAX_METRICS, strict=False)] = ()
    last_updated_time: AwareDatetime | None = None

    def metrics_by_name(self) -> dict[str, str]:
        """The metrics; of several with one name, the last."""
        return {metric.name: metric.value for metric in self.metrics}


class _Body(_Strict):
    """A request's body. Clients may also name the version and kind that they think they write."""

    api_version: Annotated[str, Field(max_length=253)] = API_VERSION
    kind: Annotated[str, Field(max_length=63)] = ""
    trainer_status: ProgressReport


def encode(
    metrics: Mapping[str, str],
    *,
    time: datetime,
    progress_percentage: int | None = None,
    estimated_remaining_seconds: int | None = None,
) -> bytes:
    """A request's body with a report. Raises `InvalidReport` for one that would not be taken."""
    values = {
        "progressPercentage": progress_percentage,
        "estimatedRemainingSeconds": estimated_remaining_seconds,
        "metrics": [{"name": name, "value": value} for name, value in metrics.items()],
        "lastUpdatedTime": time.replace(microsecond=0),
    }
    try:
        report = ProgressReport.model_validate(values)
    except ValidationError as error:
        raise _invalid(error) from error
    status = report.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps({"trainerStatus": status}).encode()


def decode(body: bytes) -> ProgressReport:
    """The report in a request's body. Raises `InvalidReport`."""
    try:
        return _Body.model_validate_json(body).trainer_status
    except ValidationError as error:
        raise _invalid(error) from error


def _invalid(error: ValidationError) -> InvalidReport:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the body"
    return InvalidReport(f"{where}: {first['msg']}")
