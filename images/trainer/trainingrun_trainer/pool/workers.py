"""The data workers and what each has in flight: two tasks, so that the next one is there when one ends.

Keeps the account; which task is next is not its affair. Every call takes constant time. Pure.
"""

from __future__ import annotations

from trainingrun_trainer.pool.tasks import TaskId

_IN_FLIGHT = 2


class Workers:
    """The workers by name, each with its tasks in the order in which it gets them."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[TaskId, bool]] = {}
        # Free ones, by how many tasks they have and whether one of them reads. A dict serves as an ordered set.
        self._free: dict[tuple[int, bool], dict[str, None]] = {
            (load, reads): {} for load in range(_IN_FLIGHT) for reads in (False, True)
        }
        self._busy = 0

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def busy(self) -> int:
        """How many have something to do."""
        return self._busy

    @property
    def has_free(self) -> bool:
        """Whether any can be given a task."""
        return any(self._free.values())

    @property
    def has_makers(self) -> bool:
        """Whether any that reads nothing can be given a task."""
        return any(free for (_, reads), free in self._free.items() if not reads)

    def has_idle_beside(self, worker: str | None) -> bool:
        """Whether there is a worker with nothing to do while this one has all that it can have."""
        return self._busy < len(self._tasks) and worker is not None and len(self._tasks.get(worker, ())) >= _IN_FLIGHT

    def join(self, worker: str) -> None:
        """A new worker. Raises ValueError if there is one of that name."""
        if worker in self._tasks:
            raise ValueError(f"worker: {worker} has joined already; allowed: a name that no worker has")
        self._tasks[worker] = {}
        self._free[0, False][worker] = None

    def leave(self, worker: str) -> list[TaskId]:
        """It is gone; returns what it had in flight, the oldest first."""
        tasks = self._tasks.pop(worker, {})
        self._busy -= bool(tasks)
        for free in self._free.values():
            free.pop(worker, None)
        return list(tasks)

    def pick(self, *, reads: bool, preferred: str | None = None) -> str:
        """Who gets the next task: the preferred worker unless it has too much to do, else who has least.

        Raises StopIteration if none is free.
        """
        if preferred is not None and len(self._tasks.get(preferred, range(_IN_FLIGHT + 1))) <= _IN_FLIGHT:
            return preferred
        # Who reads gets a make task last: what it reads next is waited for by all.
        order = sorted(self._free) if reads else sorted(self._free, key=lambda kind: (kind[1], kind[0]))
        return next(next(iter(self._free[kind])) for kind in order if self._free[kind])

    def assign(self, task_id: TaskId, worker: str, *, reads: bool) -> None:
        """It gets a task."""
        self._busy += not self._tasks[worker]
        self._change(worker, task_id, reads)

    def release(self, task_id: TaskId, worker: str) -> None:
        """A task of it has ended."""
        if worker in self._tasks:
            self._change(worker, task_id, None)
            self._busy -= not self._tasks[worker]

    def _change(self, worker: str, task_id: TaskId, reads: bool | None) -> None:
        tasks = self._tasks[worker]
        if len(tasks) < _IN_FLIGHT:
            self._free[len(tasks), any(tasks.values())].pop(worker)
        if reads is None:
            del tasks[task_id]
        else:
            tasks[task_id] = reads
        if len(tasks) < _IN_FLIGHT:
            self._free[len(tasks), any(tasks.values())][worker] = None
