"""scikit-learn's digits, which ship with it: the data that the cluster trains on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def converted_digits(folder: Path) -> Path:
    """Convert both splits into the folder, as a user would; returns the folder."""
    program = str(Path(sys.executable).with_name("trainingrun"))
    for split in ("train", "validation"):
        target = folder / "digits" / split
        if not target.exists():
            command = [program, "convert", "sklearn:digits", str(target), "--hold-out=20", "--split", split]
            subprocess.run(command, check=True, capture_output=True)
    return folder
