"""Which images stay on a machine whose code changes."""

from __future__ import annotations

from dataclasses import dataclass, field

from cluster_folder import FOLDER
from container_tool import ContainerTool
from project_images import remove_older

_LISTED = """\
localhost/trainingrun/trainingrun-trainer latest ccc
localhost/trainingrun/trainingrun-trainer ccc ccc
localhost/trainingrun/trainingrun-trainer bbb bbb
localhost/trainingrun/trainingrun-operator latest ddd
localhost/trainingrun/trainingrun-operator ddd ddd
localhost/trainingrun/node v1.34.3-1 eee
localhost/trainingrun/node v1.34.3-2 fff
"""


@dataclass(frozen=True)
class _Podman(ContainerTool):
    removed: list[str] = field(default_factory=list)

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        if arguments[0] == "rmi":
            self.removed.extend(arguments[1:])
        return _LISTED if arguments[0] == "images" else ""


def test_only_what_was_built_of_earlier_code_is_removed() -> None:
    podman = _Podman("podman", FOLDER, {})
    remove_older(podman)
    assert podman.removed == ["localhost/trainingrun/trainingrun-trainer:bbb"]
