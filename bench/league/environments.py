"""A virtual environment for each contestant, so that none has to live with what another one needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


class CannotInstall(Exception):
    """The last line that the installer said."""


def python_of(name: str, packages: list[str], folder: Path) -> Path:
    """The interpreter of a contestant, with its packages; without any, the project's own. Raises CannotInstall."""
    if not packages:
        return Path(sys.executable)
    environment, wanted = folder / name, "\n".join(packages)
    python, stamp = environment / "bin" / "python", environment / "league-packages.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = str(Path(sys.executable).with_name("uv"))
        _call([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)])
        _call(
            [
                uv,
                "pip",
                "install",
                "--quiet",
                "--compile-bytecode",
                "--only-binary",
                ":all:",
                "--python",
                str(python),
                *packages,
            ]
        )
        stamp.write_text(wanted)
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CannotInstall(done.stderr.strip().splitlines()[-1])
