"""What one pass through a dataset leaves out and finds in its cache: counted once, whatever is made twice.

Decides when too much was left out, and words what a user should read at the pass's end. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Protocol

from trainingrun_trainer.data.bad_rows import BadRow, BadRowBook
from trainingrun_trainer.data.caching import cache_word
from trainingrun_trainer.data.slabs import SlabReport
from trainingrun_trainer.pool.tasks import MakeTask, PassKey, PreparedReport, ReadTask, Task, UnitReport

_CACHE_WORDS = {
    "Hit": "the cache had all {slabs} slabs of the {dataset} data",
    "Miss": "the cache had none of the {slabs} slabs of the {dataset} data; they were prepared",
    "Partial": "the cache had {hits} of {slabs} slabs of the {dataset} data; the others were prepared",
}


class Tally:
    """See the module. `dataset` is its name; `book` counts its bad rows."""

    def __init__(self, dataset: str, book: BadRowBook):
        self._dataset = dataset
        self._book = book
        self._counted: set[Hashable] = set()
        self._found: Counter[bool] = Counter()

    def made(self, name: Hashable, rows: int, bad: Sequence[BadRow]) -> None:
        """Of `rows` rows, those that are `bad` were left out. Raises DataError where that is too many.

        `name` is the same whenever the same rows are made again.
        """
        if name not in self._counted:
            self._counted.add(name)
            self._book.add(rows, bad)

    def looked_up(self, name: Hashable, *, is_hit: bool) -> None:
        """The cache had a slab, or had it not."""
        if ("slab", name) not in self._counted:
            self._counted.add(("slab", name))
            self._found[is_hit] += 1

    def end(self) -> None:
        """The pass is over. Raises DataError where it has left out too many rows."""
        self._book.end()

    @property
    def cache_word(self) -> str | None:
        """Hit, Miss or Partial; None where there is no cache."""
        return cache_word(self._found)

    def sentences(self) -> tuple[tuple[str, str], ...]:
        """What a user should read of this pass, each with the level of a Notice."""
        told = []
        if (left_out := self._book.notice()) is not None:
            told.append(("Warning", left_out))
        if self.cache_word is not None:
            slabs = self._found.total()
            words = _CACHE_WORDS[self.cache_word]
            told.append(("Info", words.format(slabs=slabs, hits=self._found[True], dataset=self._dataset)))
        return tuple(told)


class Counted(Protocol):
    """A dataset whose passes are counted."""

    @property
    def is_cached(self) -> bool:
        """Whether slabs are prepared and kept in a cache."""

    def tally(self, name: str, used: int) -> Tally:
        """Counts what a pass over the rows that are not among the `used` ones leaves out."""


class Tallies:
    """Those of all passes that are not over. `notify` is told, with the level of a Notice, what a user should read.

    `cache_word` is that of the newest pass through the training data that has begun.
    """

    def __init__(self, datasets: Mapping[str, Counted], notify: Callable[[str, str], None]):
        self._datasets = datasets
        self._notify = notify
        self._passes: dict[PassKey, Tally] = {}
        self._told: set[str] = set()
        self._trained: Tally | None = None

    @property
    def cache_word(self) -> str | None:
        """Hit, Miss or Partial, as far as the pass has come; None where there is no cache, or no such pass yet."""
        return self._trained.cache_word if self._trained is not None else None

    def prepare(self, key: PassKey, used: int) -> None:
        """A pass is about to begin, or is prepared ahead, without `used` rows, which were used before."""
        # What was made ahead of it is counted already.
        self._passes.setdefault(key, self._datasets[key.dataset].tally(key.dataset, used))

    def begin(self, key: PassKey, ahead: PassKey | None) -> None:
        """A pass begins, and goes on with what was prepared ahead under another key, if it was."""
        if ahead is not None and ahead in self._passes:
            self._passes[key] = self._passes[ahead]
        if key.dataset == "train":
            self._trained = self._passes[key]

    def count(self, task: Task, report: SlabReport | PreparedReport | UnitReport) -> None:
        """A task has ended well. Raises DataError where more rows have been left out than may be."""
        tally = self._passes.get(task.key)
        if tally is None:  # of a pass that is over
            return
        is_cached = self._datasets[task.key.dataset].is_cached
        if isinstance(task, MakeTask):
            # What preparing has left out is counted there.
            if isinstance(report, UnitReport) and not is_cached:
                tally.made((task.rank, task.number), report.rows_in, report.bad_rows)
            return
        name = (task.bundle.index, task.slab)
        if isinstance(task, ReadTask) and is_cached:
            tally.looked_up(name, is_hit=isinstance(report, PreparedReport))
        if isinstance(report, PreparedReport):
            for sentence in report.notices:
                self._tell("Warning", sentence)
            tally.made(name, report.slab.kept + len(report.bad_rows), report.bad_rows)

    def end(self, key: PassKey) -> None:
        """A pass is over for a rank. Raises DataError where it has left out too many rows."""
        if (tally := self._passes.get(key)) is not None:
            tally.end()
            for level, sentence in tally.sentences():
                self._tell(level, sentence)

    def forget(self, is_over: Callable[[PassKey], bool]) -> None:
        """Nothing is asked of these passes any more."""
        self._passes = {key: tally for key, tally in self._passes.items() if not is_over(key)}

    def _tell(self, level: str, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._notify(level, sentence)
