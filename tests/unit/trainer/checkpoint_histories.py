"""Random histories of a run's checkpoints, against a model of the storage: attempts that save, fail, are killed and
restored, damage in between, and what must hold after each of them.

The model reads the store's bytes by itself, so that a mistake of the code cannot excuse itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import random
from typing import Any

import torch
from faulty_store import ROOT, Fault, FaultyStorage, FaultyStore, Killed
from rank_turns import on_ranks

from trainingrun_trainer.data.consumed import Consumed, Piece, row_ids
from trainingrun_trainer.failures.errors import StorageUnavailable
from trainingrun_trainer.train.checkpoint_book import Writer, is_trained
from trainingrun_trainer.train.checkpoint_files import Position, consumed_rows
from trainingrun_trainer.train.checkpointing import Restored, Saver

NAME = "digits"
EPOCHS = 3
STEPS_PER_EPOCH = 20
PIECE = Piece(0, ("x",), 1, rows=1000)
RECORDED = {"recipe": {"dataset": {"train": {"format": "CSV", "path": "x"}}}, "versions": {}}


@dataclasses.dataclass(frozen=True)
class Save:
    """A checkpoint that a process has begun to save; the number in its state is in no other."""

    name: str
    position: Position
    number: int
    is_best: bool


class History:
    """A run's life by a seed. `play` raises AssertionError where a promise is broken."""

    def __init__(self, seed: int):
        self.draw = random.Random(seed)
        self.store = FaultyStore(self.draw, is_disk=self.draw.random() < 0.5)
        self.storage = FaultyStorage("fake://lab", NAME, store=self.store)
        self.num_to_keep = self.draw.choice([1, 1, 2, 3])
        self.store.on_delete = self._check_deletion
        self.begun: dict[str, Save] = {}
        self.best: Save | None = None
        self.number = 0
        self.attempt, self.generation = 0, 0
        self.told: list[str] = []

    def play(self) -> None:
        """Attempts until the run is complete, the last ones without faults."""
        for attempt in range(8):
            self._next_writer()
            is_over = self._attempt(self._fault() if attempt < 6 else None)
            self._check_best()
            if self.draw.random() < 0.3 and attempt < 5:
                self._damage()
            elif is_over and self.draw.random() < 0.7:
                return
        assert is_over, "a run without faults does not come to its end"

    def _next_writer(self) -> None:
        kind = self.draw.random()
        if kind < 0.4 or self.generation == 0:
            self.attempt, self.generation = self.attempt + (self.generation > 0), 1
        elif kind < 0.8:
            self.generation += 1
        else:
            self.generation = 1  # the head was lost: the same attempt, which counts its starts anew

    def _fault(self) -> Fault | None:
        if self.draw.random() < 0.1:
            return None
        kind = self.draw.choice(["Kill", "Kill", "Refuse", "Lose", "Short"])
        at = self.draw.randrange(8) if self.draw.random() < 0.3 else int(self.draw.expovariate(1 / 60))
        return Fault(at, kind, self.draw.choice([0, 0, 1, 5, 10_000]))

    def _attempt(self, fault: Fault | None) -> bool:
        """A process of the run; whether it has brought the run to its end."""
        self.store.begin_process(fault)
        truth = self._newest_whole()
        try:
            is_complete = is_trained(self.storage, EPOCHS)
            assert is_complete == (truth is not None and truth.position.epoch >= EPOCHS)
            if is_complete:
                return True
        except (StorageUnavailable, Killed):
            return False
        ranks = self.draw.choice([1, 1, 2])
        order = self.draw.sample(range(ranks), ranks)
        results = on_ranks(order, lambda lockstep: self._train(lockstep, truth))
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, StorageUnavailable | Killed):
                raise result
        assert fault is not None or results == [True] * ranks
        return results == [True] * ranks

    def _train(self, lockstep: Any, truth: Save | None) -> bool:
        saver = Saver(
            self.storage,
            lockstep,
            Writer(self.attempt, self.generation),
            num_to_keep=self.num_to_keep,
            recorded=RECORDED,
            notify=lambda level, message: self.told.append(f"{level}: {message}"),
        )
        restored = saver.restore()
        assert (restored is None) == (truth is None)
        position = Position()
        if restored is not None and truth is not None:
            self._check_restored(restored, truth)
            position = restored.position
        plan = random.Random(f"{self.number} {self.attempt}")  # the same on every rank
        while position.epoch < EPOCHS:
            position = self._moved(position, plan)
            self._save(saver, lockstep, position, is_best=plan.random() < 0.3)
        return True

    def _moved(self, position: Position, plan: random.Random) -> Position:
        steps = plan.randint(5, 15)
        done = position.epoch_step + steps
        if done < STEPS_PER_EPOCH:
            return dataclasses.replace(position, step=position.step + steps, epoch_step=done)
        step = position.step + STEPS_PER_EPOCH - position.epoch_step
        return dataclasses.replace(position, step=step, epoch=position.epoch + 1, epoch_step=0)

    def _save(self, saver: Saver, lockstep: Any, position: Position, *, is_best: bool) -> None:
        number = position.step * 1000 + self.attempt * 10 + self.generation
        consumed = Consumed()
        consumed.add(row_ids(PIECE, 10 * lockstep.rank, position.epoch_step % 10))
        name = saver._joined() and saver._writer.checkpoint_name(step=position.step, epoch=position.epoch)
        save = Save(name, position, number, is_best)
        self.begun[name] = save
        if is_best and lockstep.rank == 0:
            self.best = None  # until it is there, either may be
        state = {"model": torch.full((64,), number)} if lockstep.rank == 0 else {}
        told = len(self.told)
        saver.save(state, position, consumed, {"loss": 0.5}, best=is_best)
        assert name in self._names() and self._is_whole(name)
        if lockstep.rank == 0 and not any("could not be deleted" in each for each in self.told[told:]):
            # Another rank may be at the next one already.
            kept = [each for each in self._names() if self.begun[each].position.step <= position.step]
            assert len(kept) <= self.num_to_keep, f"more than {self.num_to_keep} stay: {kept}"
        if is_best and lockstep.rank == 0:
            self.best = save

    def _check_restored(self, restored: Restored, truth: Save) -> None:
        assert restored.name == truth.name
        assert restored.position == truth.position
        assert int(restored.state(torch.device("cpu"))["model"][0]) == truth.number
        assert restored.changes == ()
        if (restored.directory / "rows-0.npz").exists():  # on rank 0
            rows = consumed_rows(restored.directory).rows()
            files = [name for name in self._files(truth.name) if name.startswith("rows-")]
            assert rows == len(files) * (truth.position.epoch_step % 10)
            if truth.is_best:
                self.best = truth

    def _damage(self) -> None:
        """Something else than a process of the run takes a file, cuts it, or turns a bit of it over."""
        files = [file for file in self.store.files if f"/{NAME}/step-" in file]
        if not files:
            return
        newest = max(file.split("/")[2] for file in files)
        file = self.draw.choice([file for file in files if self.draw.random() < 0.3 or newest in file] or files)
        if self.best is not None and self.best.name in file:
            self.best = None  # whoever goes on from an earlier one has that one's best
        content = self.store.files[file]
        kind = self.draw.random()
        if kind < 0.3 or not content:
            del self.store.files[file]
        elif kind < 0.6:
            self.store.files[file] = content[: self.draw.randrange(len(content))]
        else:
            place = self.draw.randrange(len(content))
            self.store.files[file] = content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]

    def _check_deletion(self, path: str) -> None:
        """What is whole may be deleted only while there are as many newer whole ones as are to be kept."""
        name = path.split("/")[2]
        if name not in self.begun or not self._is_whole(name):
            return
        step = self.begun[name].position.step
        newer = [other for other in self._names() if other != name and self.begun[other].position.step >= step]
        assert len([other for other in newer if self._is_whole(other)]) >= self.num_to_keep, f"{name} is lost"

    def _check_best(self) -> None:
        state = self.store.files.get(f"{ROOT}/{NAME}/best/state.pt")
        if self.best is not None:
            assert state is not None
            metrics = json.loads(self.store.files[f"{ROOT}/{NAME}/best/metrics.json"])
            assert metrics["checkpoint"] == self.best.name
            assert int(torch.load(io.BytesIO(state))["model"][0]) == self.best.number
        elif state is not None:
            torch.load(io.BytesIO(state))  # some state, all of it

    def _newest_whole(self) -> Save | None:
        names = [name for name in self._names() if self._is_whole(name)]
        saves = [self.begun[name] for name in names]
        return max(saves, key=lambda save: (save.position.step, save.position.epoch, _writer(save.name)), default=None)

    def _names(self) -> list[str]:
        return sorted({file.split("/")[2] for file in self.store.files if f"/{NAME}/step-" in file})

    def _files(self, name: str) -> dict[str, bytes]:
        prefix = f"{ROOT}/{NAME}/{name}/"
        return {file.removeprefix(prefix): content for file, content in self.store.files.items() if prefix in file}

    def _is_whole(self, name: str) -> bool:
        files = self._files(name)
        try:
            manifest = json.loads(files["manifest.json"])
            said = manifest.pop("sha256")
            if hashlib.sha256(json.dumps(manifest).encode()).hexdigest() != said:
                return False
            return all(
                file in files and hashlib.sha256(files[file]).hexdigest() == each["sha256"]
                for file, each in manifest["files"].items()
            )
        except (KeyError, ValueError, AttributeError):
            return False


def _writer(name: str) -> tuple[int, int]:
    attempt, generation = name.rpartition("a")[2].split("g")
    return int(attempt), int(generation)
