"""Which images stay on a machine whose code changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
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

    is_used: bool = False

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        return _LISTED if arguments[0] == "images" else ""

    def succeeds(self, *arguments: str) -> bool:
        if arguments[0] == "rmi" and not self.is_used:
            self.removed.extend(arguments[1:])
        return not self.is_used


def test_only_what_was_built_of_earlier_code_is_removed() -> None:
    podman = _Podman("podman", FOLDER, {})
    remove_older(podman)
    assert podman.removed == ["localhost/trainingrun/trainingrun-trainer:bbb"]


def test_an_image_that_is_still_used_stays_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    remove_older(_Podman("podman", FOLDER, {}, is_used=True))
    assert "localhost/trainingrun/trainingrun-trainer:bbb is still used" in capsys.readouterr().err
