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
from trainingrun.spec.initial_checkpoint import CLAIM_SCHEME
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.local.lock import unwritable

# Fields that only a cluster can honour, as a user would name them.
_CLUSTER_FIELDS = (
    "image",
    "imagePullPolicy",
    "imagePullSecrets",
    "serviceAccountName",
    "head",
    "topology",
    "podMetadata",
    "podTemplatePatches",
    "startDeadlineSeconds",
    "activeDeadlineSeconds",
    "progressDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "failurePolicy",
    "clusterTTLSecondsAfterFinished",
    "suspend",
)

# By mount path: the folder in .trainingrun that stands in for what is mounted there, unless another one is chosen.
_Folders = dict[str, tuple[str, Path | None]]


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
    folders, unmounted = _other_claims(spec)
    stand_in = _move_storage(spec, folders, volume)
    _move_files(spec, folders)
    left_out = [name for name in _CLUSTER_FIELDS if name in spec and name in _given(run)] + unmounted
    _share_one_machine(spec, left_out)
    variables = _variables(spec, left_out)
    return Adapted(run=parse(document), variables=variables, not_applied=tuple(left_out), volume=stand_in)


def _other_claims(spec: dict[str, Any]) -> tuple[_Folders, list[str]]:
    """Take the volumes away: the folders of those that are claims, and what else is left out.

    Rows are only below mounts of all pods.
    """
    claims = {volume["name"]: volume.get("persistentVolumeClaim") for volume in spec.pop("volumes", ())}
    folders: _Folders = {
        mount["mountPath"]: (str(Path(claims[mount["name"]]["claimName"], mount.get("subPath", ""))), None)
        for mount in spec.pop("volumeMounts", ())
        if claims[mount["name"]]
    }
    for group in ("trainer", "data"):
        spec.get(group, {}).pop("volumeMounts", None)
    return folders, [f"volumes[{name}]" for name, claim in claims.items() if not claim]


def _move_storage(spec: dict[str, Any], folders: _Folders, volume: Path | None) -> Path | None:
    """Put the run's own folder where its claim is here, if it is on one, and add that to the folders."""
    claim = spec["storage"].pop("persistentVolumeClaim", None)
    if not claim:
        return None
    folders[claim["mountPath"]] = claim["claimName"], volume
    stand_in = _stand_in(claim["mountPath"], claim["claimName"], volume)
    spec["storage"]["uri"] = f"file://{stand_in}"
    initial = spec.get("recipe", {}).get("initialCheckpoint", {})
    if (initial.get("uri") or "").startswith(CLAIM_SCHEME):
        # The rules allow the run's own claim alone.
        initial["uri"] = initial["uri"].replace(f"{CLAIM_SCHEME}{claim['claimName']}", claim["mountPath"], 1)
    return stand_in


def _move_files(spec: dict[str, Any], folders: _Folders) -> None:
    """Rows, their cache, what training starts from, code and a command's words, to the folders that they are below."""
    recipe = spec.get("recipe", {})
    places = [(place, "path") for place in recipe.get("dataset", {}).values() if isinstance(place, dict)]
    for place, name in [*places, (recipe.get("initialCheckpoint", {}), "uri")]:
        if here := _here(place.get(name), folders):
            place[name] = str(here)
    code = spec.get("code", {})
    if here := _here(code.get("uri"), folders):
        code["uri"] = f"file://{here}"  # a path would have to be on the claim, which is gone
    trainer = spec.get("trainer", {})
    for name in [name for name in ("command", "args") if trainer.get(name)]:
        trainer[name] = [_word_here(word, folders) for word in trainer[name]]


def _word_here(word: str, folders: _Folders) -> str:
    """A word of a command, where it is a path below a mount, or an option with one, such as `--data=/mnt/data`."""
    option, equals, path = word.partition("=") if word.startswith("-") else ("", "", word)
    return f"{option}{equals}{_here(path, folders) or path}"


def _here(given: str | None, folders: _Folders) -> Path | None:
    """Where a path is on this machine; None if it is below nothing that is mounted."""
    path = Path(given or "")
    # The innermost: a mount hides what is at its place in another.
    mounted = max((mounted for mounted in folders if path.is_relative_to(mounted)), key=len, default=None)
    return None if mounted is None else _stand_in(mounted, *folders[mounted]) / path.relative_to(mounted)


def _stand_in(mounted: str, name: str, chosen: Path | None) -> Path:
    """The directory that stands in for what is mounted there; made if it is missing."""
    stand_in = (chosen or (Path(mounted) if Path(mounted).is_dir() else Path(".trainingrun") / name)).resolve()
    try:
        stand_in.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidConfiguration(unwritable(stand_in, error)) from error
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
    for name, tracker in spec.get("tracking", {}).items():
        if isinstance(tracker, dict) and tracker.get("secretRef"):
            left_out.append(f"tracking.{name}.secretRef")
    return values
