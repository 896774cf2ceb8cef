"""How long things took in a scenario: kept beside its other files, and shown in one table at the end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Timings:
    """Seconds since the scenario began, by what was reached then."""

    scenario: str
    began: float = field(default_factory=time.monotonic)
    reached: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Count from now."""
        self.began = time.monotonic()

    def mark(self, what: str) -> float:
        """Remember when this was reached, and return it."""
        self.reached[what] = round(time.monotonic() - self.began, 1)
        return self.reached[what]

    def note(self, what: str, seconds: float) -> None:
        """Remember a time that was measured otherwise."""
        self.reached[what] = round(seconds, 1)

    def write(self, folder: Path) -> None:
        """Keep them as a file."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "timings.json").write_text(json.dumps(self.reached, indent=1) + "\n")

    def row(self) -> str:
        """A line of the table."""
        return f"{self.scenario:<48} " + ", ".join(f"{what} {seconds:.0f} s" for what, seconds in self.reached.items())
