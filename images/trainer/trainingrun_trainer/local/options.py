"""What a person can say to a local run, parsed from the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """See the help texts in `parse`."""

    file: Path
    address: str | None
    trainers: int | None
    data_cpus: int | None
    volume: Path | None
    json: bool
    verbose: bool


def parse(arguments: list[str]) -> Options:
    """The options. `trainingrun local` has checked them already and shows their help."""
    parser = argparse.ArgumentParser(prog="trainingrun local")
    parser.add_argument("file", type=Path)
    parser.add_argument("--address")
    parser.add_argument("--trainers", type=int)
    parser.add_argument("--data-cpus", type=int)
    parser.add_argument("--volume", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    return Options(**vars(parser.parse_args(arguments)))
