"""How `spec.code` gets into the pods of a run, and into the program that starts there.

A container of each pod unpacks it before Ray starts, so that pods that come later have it too. The driver starts in its
folder, which Ray puts first on the path of every process that works for the driver, whatever PYTHONPATH the image's
nodes have. It must not know how pods are written: the templates do.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from trainingrun.contract import pods as contract_pods
from trainingrun.spec.code import Code
from trainingrun.spec.groups import Trainer

# Of a pod's resources, those that any container may have; it has no use for others, such as GPUs.
_OF_ANY_CONTAINER = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True)
class CodeParts:
    """What the pods of a run with code have. `config_map` and its `key` are empty where the code is elsewhere."""

    command: list[str]
    config_map: str
    key: str

    @property
    def has_config_map(self) -> bool:
        """Whether the archive is in a ConfigMap."""
        return bool(self.config_map)


def code_parts(code: Code) -> CodeParts:
    """What pods need for this code. A `$` would otherwise begin a variable of the container's."""
    key = code.config_map_key_ref
    source = f"{contract_pods.CODE_ARCHIVE_DIRECTORY}/{key.key}" if key else code.uri or ""
    unpack = [contract_pods.CODE_MODULE, source.replace("$", "$$"), code.sha256, contract_pods.CODE_DIRECTORY]
    return CodeParts(["python", "-m", *unpack], key.name if key else "", key.key if key else "")


def share_of(amounts: dict[str, str]) -> dict[str, str]:
    """Of a pod's limits or requests, those of the container that unpacks: it ends before the others start."""
    return {name: amount for name, amount in amounts.items() if name in _OF_ANY_CONTAINER}


def entrypoint(trainer: Trainer, code: Code | None) -> str:
    """The driver's command line, for the shell that Ray gives it to.

    With code, it starts in its folder; PYTHONPATH is for scripts below it, and for programs that they start. The shell
    becomes the driver, since it would not pass signals on.
    """
    program = shlex.join([*trainer.command, *trainer.args]) if trainer.command else contract_pods.ENTRYPOINT
    if code is None:
        return program
    path = contract_pods.CODE_DIRECTORY
    return f'cd {path} && export PYTHONPATH="{path}${{PYTHONPATH:+:$PYTHONPATH}}" && exec {program}'
