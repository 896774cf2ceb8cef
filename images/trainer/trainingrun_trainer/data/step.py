"""One step of a run's preprocessing, as the run names it; the function itself is found in the process that calls it.

It must not know which steps there are before and after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.instances import instance_of
from trainingrun_trainer.data.seeds import EPOCH_SEED, ROW_KEY, row_seeds
from trainingrun_trainer.data.step_calls import Made, by_batch, by_row
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, UserCodeError
from trainingrun_trainer.failures.outages import outage_of
from trainingrun_trainer.failures.tracebacks import user_traceback
from trainingrun_trainer.hooks import Hook, accepts, mismatch, signature_of
from trainingrun_trainer.seeding import seed_generators

if TYPE_CHECKING:
    from trainingrun.spec.transforms import Transform

FIELD = "spec.recipe."
# Columns of our own, which no function of the author's sees.
HIDDEN = (ROW_ID, EPOCH_SEED, ROW_KEY)


@dataclass(frozen=True)
class Step:
    """See the module. `path` is its field; cpus, memory (bytes), gpus and concurrency are what data workers get."""

    function: str
    kind: str  # Row, Batch or Class
    batch_format: str = "NumPy"  # NumPy, Arrow or Torch
    parameters: dict[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    input_columns: tuple[str, ...] = ()
    path: str = f"{FIELD}transform"
    cpus: float | None = None
    memory: int | None = None
    gpus: float = 0.0
    concurrency: int | None = None
    is_on_trainer: bool = False

    @classmethod
    def of(cls, path: str, named: Transform, input_columns: tuple[str, ...], *, is_on_trainer: bool) -> Step:
        """The step that field `path` of the recipe describes."""
        asked = named.resources
        return cls(
            function=named.function,
            kind=named.kind,
            batch_format=named.resolved_batch_format,
            parameters=dict(named.parameters),
            batch_size=named.batch_size,
            input_columns=input_columns,
            path=f"{FIELD}{path}",
            cpus=asked.cpu.cores if asked and asked.cpu else None,
            memory=asked.memory.bytes if asked and asked.memory else None,
            gpus=asked.gpu.cores if asked and asked.gpu else 0.0,
            concurrency=named.concurrency,
            is_on_trainer=is_on_trainer,
        )

    @property
    def label(self) -> str:
        """The field within the recipe, such as transforms[1], by which tables and times of steps are told apart."""
        return self.path.removeprefix(FIELD)

    @property
    def name(self) -> str:
        """The field and the function, for messages."""
        return f"{self.path} ({self.function})"

    @property
    def hook(self) -> Hook:
        """The author's function, or class."""
        told = {} if self.kind == "Class" else dict.fromkeys(self._names)
        return Hook(self.path, self.function, f"transform ({self.kind})", self.parameters, told)

    def check(self) -> None:
        """Raise InvalidConfiguration unless the function is there, takes the parameters, and asks for what it gets."""
        function = called = self.hook.function
        if self.kind == "Class":
            if not isinstance(function, type):
                return  # What a function makes, and what that takes, is only known when it is there.
            called = next((vars(one)["__call__"] for one in function.__mro__ if "__call__" in vars(one)), _no_call)
            told = {name: None for name in self._names if accepts(called, name)}
            if (problem := mismatch(signature_of(called), 2, told)) is not None:
                raise InvalidConfiguration(
                    f"{self.path}.function: instances of {self.function} cannot be called with a batch: {problem}; "
                    "expected __call__(self, batch) -> batch"
                )
        if self.kind != "Row" and not self.is_on_trainer and self._wants(called, "seed"):
            raise InvalidConfiguration(
                f"{self.path}.function: {self.function} has a parameter seed, which a function of one row is told; a "
                "batch may hold other rows when an epoch is resumed, so that it is told `seeds`, one for each row: see "
                "trainingrun_trainer.seeding.by_row"
            )

    def callable(self) -> Callable[..., Any]:
        """What is called with rows. Of a class it is the instance, which is built the first time."""
        return instance_of(self.hook) if self.kind == "Class" else self.hook.function

    def rows(self, table: pa.Table, *, training: bool) -> Made:
        """What one call makes of the table, which has ROW_KEY and maybe other hidden columns beside the author's.

        Raises UserCodeError with the author's traceback, or DataError; both name the step.
        """
        seeds = row_seeds(table)
        plain = table.drop_columns([name for name in HIDDEN if name in table.column_names])
        function = self.callable()
        keywords = self._keywords(function, training=training)
        with self.named():
            if self.kind == "Row":
                return by_row(function, keywords, plain, seeds, tells_seed=self._wants(function, "seed"))
            # Otherwise every process would draw the same numbers from torch's generator.
            seed_generators(int(seeds[0]))
            if self._wants(function, "seeds"):
                keywords["seeds"] = seeds
            return by_batch(function, keywords, plain, self.batch_format)

    def batch(self, batch: dict[str, Any], *, training: bool) -> dict[str, Any]:
        """What the function makes of a whole batch of tensors on the trainer. Raises what the function does."""
        function = self.callable()
        try:
            made = function(batch, **self._keywords(function, training=training))
        except Exception as error:
            error.add_note(f"in {self.name}")
            raise
        if not isinstance(made, Mapping):
            found = "None (is a `return` missing?)" if made is None else type(made).__name__
            raise DataError(f"{self.name}: the transform returned {found}, expected the batch as a dict")
        return dict(made)

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Have what is raised within name the step, as what it is: wrong data, an outage, or the author's mistake."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error.__cause__
        except (UserCodeError, InvalidConfiguration):
            raise
        except Exception as error:  # whatever the author's code raises is theirs to read
            said = f"{self.name}:\n{user_traceback(error)}"
            if outage_of(error) is not None:
                raise DataError(said) from error
            raise UserCodeError(said) from None

    @property
    def _names(self) -> tuple[str, ...]:
        """The parameters that are none of the run's: what is told, and a batch's seed, which `check` refuses."""
        seeds = () if self.is_on_trainer else ("seed",) if self.kind == "Row" else ("seeds", "seed")
        return (*self._told(training=True), *seeds)

    def _told(self, *, training: bool) -> dict[str, Any]:
        return {"training": training, "input_columns": self.input_columns}

    def _keywords(self, function: Callable[..., Any], *, training: bool) -> dict[str, Any]:
        wanted = {name: value for name, value in self._told(training=training).items() if accepts(function, name)}
        return wanted if self.kind == "Class" else {**wanted, **self.parameters}

    def _wants(self, function: Callable[..., Any], name: str) -> bool:
        """Whether the function is to be told `name`; one among the run's parameters stays."""
        return accepts(function, name) and (self.kind == "Class" or name not in self.parameters)


def _no_call() -> None:
    """In place of the method that instances of a class are called by, where it has none."""
