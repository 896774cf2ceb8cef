"""Makes a cluster's run file fit one machine: where its volume is, and which of its fields mean nothing here.

Pure, except that it makes the directory that stands in for the volume.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainingrun.spec import Run, parse
from trainingrun.spec.accelerators import is_gpu
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.local.lock import unwritable

# Fields that only a cluster can honour, as a user would name them.
_CLUSTER_FIELDS = (
    "image",
    "imagePullPolicy",
    "imagePullSecrets",
    "head",
    "podTemplatePatches",
    "startDeadlineSeconds",
    "activeDeadlineSeconds",
    "progressDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "failurePolicy",
    "clusterTTLSecondsAfterFinished",
    "suspend",
)


@dataclass(frozen=True)
class Adapted:
    """A run that can train here. `variables` are its own environment; `not_applied` the fields left out."""

    run: Run
    variables: dict[str, str]
    not_applied: tuple[str, ...]
    volume: Path | None


def adapt(run: Run, volume: Path | None) -> Adapted:
    """`run` for this machine. `volume` is the directory that stands in for the run's volume, if it needs one.

    Without one, the mount path itself is used where it exists, and otherwise `.trainingrun/<claim name>`. Raises
    InvalidConfiguration if it cannot be made.
    """
    document = copy.deepcopy(run.to_document())
    spec = document["spec"]
    stand_in = _move_volume(spec, volume)
    left_out = [name for name in _CLUSTER_FIELDS if name in spec and name in _given(run)]
    _share_one_machine(spec, left_out)
    variables = _variables(spec, left_out)
    return Adapted(run=parse(document), variables=variables, not_applied=tuple(left_out), volume=stand_in)


def _move_volume(spec: dict[str, Any], volume: Path | None) -> Path | None:
    claim = spec["storage"].get("persistentVolumeClaim")
    if not claim:
        return None
    mounted = Path(claim["mountPath"])
    stand_in = volume or (mounted if mounted.is_dir() else Path(".trainingrun") / claim["claimName"])
    stand_in = stand_in.resolve()
    try:
        stand_in.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidConfiguration(unwritable(stand_in, error)) from error
    del spec["storage"]["persistentVolumeClaim"]
    spec["storage"]["uri"] = f"file://{stand_in}"
    # The rows, and the cache of what is made of them.
    for place in spec.get("recipe", {}).get("dataset", {}).values():
        path = Path(place.get("path") or "") if isinstance(place, dict) else None
        if path is not None and path.is_relative_to(mounted):
            place["path"] = str(stand_in / path.relative_to(mounted))
    return stand_in


def _share_one_machine(spec: dict[str, Any], left_out: list[str]) -> None:
    """Take away what data workers ask for: here they share what the machine has, and GPUs are the trainers'."""
    recipe = spec.get("recipe", {})
    steps = {"transform": recipe.get("transform", {})}
    steps |= {f"transforms[{place}]": step for place, step in enumerate(recipe.get("transforms", ()))}
    left_out += [f"recipe.{path}.resources" for path, step in steps.items() if step.pop("resources", None)]
    for amounts in spec.get("data", {}).get("resourcesPerNode", {}).values() if recipe else ():
        for name in [name for name in amounts if is_gpu(name)]:
            del amounts[name]


def _given(run: Run) -> set[str]:
    """The cluster-only fields that the author wrote, rather than those that have defaults."""
    return {_camel(name) for name in run.spec.model_fields_set}


def _camel(name: str) -> str:
    field = Run.model_fields["spec"].annotation
    alias = field.model_fields[name].alias if field is not None else None
    return alias or name


def _variables(spec: dict[str, Any], left_out: list[str]) -> dict[str, str]:
    """The run's plain variables; those that come from the cluster's objects are left out."""
    values: dict[str, str] = {}
    for group, path in (
        (spec, "env"),
        (spec.get("data", {}), "data.env"),
        (spec.get("trainer", {}), "trainer.env"),
    ):
        for variable in group.get("env", []):
            if "value" in variable:
                values[variable["name"]] = variable["value"]
            else:
                left_out.append(f"{path}[{variable['name']}].valueFrom")
    if spec["storage"].get("secretRef"):
        left_out.append("storage.secretRef")
    return values
