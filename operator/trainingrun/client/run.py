"""A run as a Python program puts it together: checked when it is made, sent to a cluster or trained here.

It must not connect to a cluster: `trainingrun.client.remote` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trainingrun.client.parts import Data, Head, Recipe, Storage, Trainer
from trainingrun.client.problems import RunFailed
from trainingrun.contract.labels import API_VERSION, KIND
from trainingrun.errors import InvalidSpec
from trainingrun.spec import parse
from trainingrun.spec.model import Model
from trainingrun.spec.run import RunSpec
from trainingrun.spec.runtime import check_alone, reference_of


class Run:
    """A valid run. `more` are fields of `spec` by Python's names, such as `backoff_limit=5`.

    With `runtime_ref`, what the runtime gives may be left out, and the run is valid as far as it goes. Raises
    `InvalidSpec` with all problems.
    """

    def __init__(
        self,
        name: str,
        *,
        image: str | None = None,
        storage: Storage | None = None,
        recipe: Recipe | None = None,
        trainer: Trainer | None = None,
        data: Data | None = None,
        head: Head | None = None,
        env: Mapping[str, str] | None = None,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **more: Any,
    ):
        variables = [{"name": key, "value": value} for key, value in env.items()] if env else None
        parts = {"recipe": recipe, "trainer": trainer, "data": data, "head": head, "env": variables}
        fields = {"image": image, **parts, "storage": storage, **more}
        metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
        self._set(
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {key: _plain(value) for key, value in metadata.items() if value is not None},
                "spec": {_alias(key): _plain(value) for key, value in fields.items() if value is not None},
            }
        )

    @classmethod
    def from_file(cls, path: str | Path) -> Run:
        """The one run in a file. Raises `InvalidSpec` with all problems, or ValueError where there are several."""
        from trainingrun.spec.documents import read_files

        reading = read_files([str(path)], is_whole=False)
        if reading.problems:
            raise InvalidSpec(list(reading.problems))
        if len(reading.runs) != 1:
            raise ValueError(f"{path} has {len(reading.runs)} runs, allowed: one")
        made = cls.__new__(cls)
        made._set(reading.runs[0].document)
        return made

    def _set(self, document: dict[str, Any]) -> None:
        check = parse if reference_of(document) is None else check_alone
        self._name = check(document).metadata.name
        self.document = document

    @property
    def name(self) -> str:
        """The run's name."""
        return self._name

    def to_yaml(self) -> str:
        """The file of this run, as `trainingrun submit -f` takes it."""
        return yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True)

    def local(self, *options: str) -> None:
        """Train on this machine as `trainingrun local` does, with its options. Raises `RunFailed` with its exit code.

        Functions may be in modules of the current folder. Where the output is no terminal, as in a notebook, it is
        printed line by line.
        """
        paths = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH", ""))))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{self.name}.yaml"
            file.write_text(self.to_yaml(), encoding="utf-8")
            command = [sys.executable, "-m", "trainingrun", "local", "-f", str(file), *options]
            code = _run_printing(command, {**os.environ, "PYTHONPATH": paths})
        if code:
            raise RunFailed(code, f"{self.name}: training on this machine ended with code {code}")

    def __repr__(self) -> str:
        return f"Run({self.name!r})"


def _alias(name: str) -> str:
    """The document's name of a field of `spec`; one that it does not have stays as it is."""
    field = RunSpec.model_fields.get(name)
    return (field.alias if field else None) or name


def _plain(value: Any) -> Any:
    """JSON values, of models and of lists and mappings of them."""
    if isinstance(value, Model):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _run_printing(command: list[str], environment: Mapping[str, str]) -> int:
    if sys.stdout.isatty():
        return subprocess.run(command, env=environment, check=False).returncode
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            print(line, end="")
    return process.returncode
