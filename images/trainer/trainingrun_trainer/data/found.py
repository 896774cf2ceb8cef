"""What a format found of a dataset: the answer of its `find`."""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun_trainer.data.consumed import Piece
from trainingrun_trainer.data.source import Source


@dataclass(frozen=True)
class Found:
    """`source` has classes, types and ragged columns filled in; `notices` are sentences that the user should read."""

    source: Source
    pieces: list[Piece]
    notices: tuple[str, ...] = ()
