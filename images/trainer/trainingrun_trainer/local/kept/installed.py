"""What is installed, as one word that changes whenever another version of anything may be loaded.

By times of change only: importing, or reading every package's version, would take longer than it saves.
"""

from __future__ import annotations

import hashlib
import os
import sysconfig
from pathlib import Path

import trainingrun.contract
import trainingrun_trainer


def installed() -> str:
    """The word. Installers write to the folders of packages; this project's own files may be worked on in place."""
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    times = [(folder, os.stat(folder).st_mtime_ns) for folder in sorted(folders) if os.path.isdir(folder)]
    for package in (Path(trainingrun.contract.__file__).parents[1], Path(trainingrun_trainer.__file__).parent):
        times += [(str(file), file.stat().st_mtime_ns) for file in sorted(package.rglob("*.py"))]
    return hashlib.sha256(repr(times).encode()).hexdigest()[:16]
