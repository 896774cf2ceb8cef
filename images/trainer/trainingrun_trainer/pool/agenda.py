"""Which passes there are: those that ranks go through now, those prepared ahead, and those that are over.

Knows when a pass may be adopted and when it ends; what is done within a pass is its own affair. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trainingrun_trainer.pool.passes import Pass
from trainingrun_trainer.pool.reading_ahead import Costs
from trainingrun_trainer.pool.tasks import Answer, Ended, Failed, PassKey, PassPlan, TaskId, Waiting


class Agenda:
    """See the module. `begun` has the latest first, `ahead` is in the order in which it was asked for."""

    def __init__(self, costs: Callable[[str], Costs], freed: list[TaskId]):
        self.begun: list[Pass] = []
        self.ahead: list[Pass] = []
        self._costs = costs
        self._freed = freed
        self._latest: dict[str, PassKey] = {}
        self._cut_short: dict[str, tuple[PassKey, set[int]]] = {}

    @property
    def passes(self) -> list[Pass]:
        """All that are not over."""
        return [*self.begun, *self.ahead]

    def begin(self, key: PassKey, plan: PassPlan) -> PassKey | None:
        """As `Schedule.begin`."""
        if self._is_past(key):
            return None
        found = self._prepared(key, plan)
        ahead = found.key if found is not None else None
        found = found or self._kept(key, plan) or Pass(key, plan, self._costs(key.dataset), self._freed)
        found.key = key
        for other in self.passes:
            if other is not found and (other.key.dataset == key.dataset or self._is_outlived(other, key)):
                self._note_cut_short(other, key)
                self._end(other)
        self.ahead = [each for each in self.ahead if each is not found]
        self.begun = [found, *(each for each in self.begun if each is not found)]
        self._latest[key.dataset] = key
        return ahead

    def prepare_ahead(self, key: PassKey, plan: PassPlan) -> None:
        """As `Schedule.prepare_ahead`."""
        if self._is_past(key):
            return
        if any(each.plan == plan and each.is_keeping for each in self.begun if each.key.dataset == key.dataset):
            return
        for other in [each for each in self.ahead if each.key.dataset == key.dataset]:
            if other.key == key and other.plan == plan:
                return
            self._end(other)
        self.ahead.append(Pass(key, plan, self._costs(key.dataset), self._freed))

    def drop(self, key: PassKey) -> None:
        """As `Schedule.drop`."""
        for each in [each for each in self.passes if each.key == key]:
            if not (each.is_keeping and each.is_complete):
                self._end(each)

    def keep_at_most(self, most_bytes: int) -> None:
        """No pass keeps more than that."""
        for each in self.begun:
            each.keep_at_most(most_bytes)

    def keep_nothing(self) -> None:
        """What is kept, or prepared ahead to be kept, is made anew when its time comes."""
        self.keep_at_most(-1)
        for each in [each for each in self.ahead if each.plan.is_kept]:
            self._end(each)

    def find(self, key: PassKey) -> Pass | None:
        """The pass that has begun under this key and is not over."""
        return next((each for each in self.begun if each.key == key), None)

    def due(self) -> Iterator[Pass]:
        """The passes to work on, the most urgent first."""
        yield from self.begun
        if all(each.shares.is_all_cut for each in self.begun):
            yield from self.ahead

    def ready(self, key: PassKey, rank: int) -> Answer:
        """As `Schedule.ready`."""
        found = self.find(key)
        if found is not None:
            return found.shares.ranks[rank].ready()
        cut_short, ranks = self._cut_short.get(key.dataset, (None, ()))
        if key == cut_short and rank in ranks:
            return Failed(RuntimeError(f"{key}: another pass has begun before rank {rank} had all rows of this one"))
        return Ended() if self._is_past(key) else Waiting()

    def _is_past(self, key: PassKey) -> bool:
        """Whether this pass, or one after it, has begun."""
        latest = self._latest.get(key.dataset)
        return latest is not None and (key.generation, key.number) <= (latest.generation, latest.number)

    def _prepared(self, key: PassKey, plan: PassPlan) -> Pass | None:
        return next((each for each in self.ahead if each.key.dataset == key.dataset and each.plan == plan), None)

    def _kept(self, key: PassKey, plan: PassPlan) -> Pass | None:
        for each in self.begun:
            if each.key.dataset == key.dataset and each.is_keeping and each.is_complete and each.plan == plan:
                each.restart(key)
                return each
        return None

    def _is_outlived(self, other: Pass, key: PassKey) -> bool:
        """Whether a pass was one of ranks that are gone; what was prepared or is kept may still be adopted."""
        return other in self.begun and other.key.generation < key.generation and not other.is_complete

    def _note_cut_short(self, other: Pass, key: PassKey) -> None:
        if other in self.begun and other.key.generation == key.generation:
            ranks = {state.rank for state in other.shares.ranks if not state.has_ended}
            self._cut_short[key.dataset] = (other.key, ranks)

    def _end(self, each: Pass) -> None:
        each.end()
        self.begun = [other for other in self.begun if other is not each]
        self.ahead = [other for other in self.ahead if other is not each]
