"""`trainingrun local --debug`: what a cluster computes, in one process and thread, where a debugger can stop."""

from __future__ import annotations

import io
import pdb
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import in_process
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from trainingrun.contract.records import AttemptStarted, CheckpointSaved, EpochEnded, Notice, Placement, Record
from trainingrun.spec import parse
from trainingrun_trainer.driver.shape import storage_of
from trainingrun_trainer.local import __main__ as program
from trainingrun_trainer.local.debug import debug
from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.train import folder_owner

ALONE = Size(
    trainers=1,
    trainer_nodes=1,
    cpus_per_trainer=1,
    gpus_per_trainer=0,
    data_nodes=1,
    data_cpus=1,
    object_store_bytes=128 << 20,
)
THREADS: set[threading.Thread] = set()
MARKS: list[str] = []


def dropping() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))


def same(row: dict[str, Any]) -> dict[str, Any]:
    THREADS.add(threading.current_thread())
    time.sleep(0.001)
    return row


def collated(table: pa.Table) -> dict[str, torch.Tensor]:
    THREADS.add(threading.current_thread())
    return {name: torch.tensor(np.stack(table.column(name).to_pylist()), dtype=torch.float32) for name in ("x", "y")}


def stopping(row: dict[str, Any]) -> dict[str, Any]:
    breakpoint()
    return row


def failing(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if len(MARKS) == 6:
        raise KeyError("the author's mistake")
    MARKS.append("called")
    return ((outputs[:, 0] - targets) ** 2).mean()


def interrupting(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any, times: int) -> torch.Tensor:
    """A step that sends Ctrl-C as the third is taken: all agree on it before the fourth."""
    if session.position.step == 2:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
    return ((model(batch["x"])[:, 0] - batch["y"]) ** 2).mean()


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Puts the handlers of this process back, and the number of torch's threads."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    MARKS.clear()
    yield
    torch.set_num_threads(threads)
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(150, 4)).astype(np.float32)
    columns = {"x": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 4), "y": pa.array(x.sum(1))}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet", row_group_size=40)
    place = {"format": "Parquet", "path": str(tmp_path / "rows.parquet")}
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "toy"},
        "spec": {
            "image": "not-used",
            "storage": {"uri": f"file://{tmp_path}/runs"},
            "trainer": {"numNodes": 2},
            "recipe": {
                "dataset": {"train": place, "validation": place, "inputColumns": ["x"], "targetColumns": ["y"]},
                "model": {"function": "torch.nn:Linear", "parameters": {"in_features": 4, "out_features": 1}},
                "loss": {"function": "torch.nn:MSELoss"},
                "optimizer": {"function": "torch.optim:Adam", "parameters": {"lr": 0.05}},
                "globalBatchSize": 16,
                "epochs": 2,
            },
        },
    }


def changed(document: dict[str, Any], name: str = "toy", **recipe: Any) -> dict[str, Any]:
    spec = {**document["spec"], "recipe": {**document["spec"]["recipe"], **recipe}}
    return {**document, "metadata": {"name": name}, "spec": spec}


def debugged(document: dict[str, Any], attempt: int = 0) -> list[Any]:
    """All records of an attempt."""
    records: list[Any] = []
    records.append(debug(parse(document), ALONE, attempt, records.append))
    return records


def metrics(records: list[Record]) -> list[dict[str, float]]:
    return [record.metrics for record in records if isinstance(record, EpochEnded)]


def resumed(records: list[Record]) -> str | None:
    return next(record.resumed_from for record in records if isinstance(record, AttemptStarted))


def test_it_computes_what_a_cluster_does_and_each_goes_on_where_the_other_left_off(
    document: dict[str, Any], tmp_path: Path
) -> None:
    def cluster(name: str, **more: Any) -> list[Record]:
        return in_process.train(changed(document, name, **recipe, **more), tmp_path).records

    recipe = {"model": {"function": f"{__name__}:dropping"}}
    expected = metrics(cluster("cluster"))
    assert len(expected) == 2 and expected[0]["loss"] > expected[1]["loss"]
    assert metrics(debugged(changed(document, "debug", **recipe))) == expected

    first = debugged(changed(document, "from-debug", **recipe, epochs=1))
    then = cluster("from-debug")
    first_there = cluster("from-cluster", epochs=1)
    then_here = debugged(changed(document, "from-cluster", **recipe), attempt=1)
    assert metrics(first) == metrics(first_there) == expected[:1]
    assert resumed(then) and resumed(then_here)
    assert metrics(then) == metrics(then_here) == expected[1:]
    again = debugged(changed(document, "from-debug", **recipe), attempt=2)
    assert [record.kind for record in again] == ["AttemptEnded"] and again[-1].exit_code == 0


def test_a_run_goes_on_from_another_in_the_folder_that_both_name(document: dict[str, Any]) -> None:
    document["spec"]["storage"]["runName"] = "baseline"
    first = debugged(changed(document, "first", epochs=1))
    then = debugged(changed(document, "second"), attempt=1)
    assert len(metrics(first)) == len(metrics(then)) == 1
    assert (resumed(then) or "").startswith("step-") and then[-1].exit_code == 0
    notices = [record.message for record in then if isinstance(record, Notice)]
    assert "training goes on from a checkpoint of run first" in notices
    storage = storage_of(parse(document))
    owner, _ = folder_owner.read(storage)
    assert owner is not None and (owner.name, owner.number, owner.is_gone) == ("second", 1, True)
    saved = [record.path for record in then if isinstance(record, CheckpointSaved)]
    assert saved and all(path.startswith(f"{storage.location}/step-") and "a1g1" in path for path in saved)


def test_the_author_s_functions_run_where_the_terminal_is(document: dict[str, Any]) -> None:
    THREADS.clear()
    recipe = {
        "transform": {"function": f"{__name__}:same", "kind": "Row"},
        "collate": {"function": f"{__name__}:collated"},
    }
    records = debugged(changed(document, **recipe))
    assert records[-1].exit_code == 0, records[-1].message
    assert {threading.main_thread()} == THREADS
    (placement,) = [record for record in records if isinstance(record, Placement)]
    # Validation rows are made once for both epochs.
    assert placement.data_rows == {"this process": 2 * 150 + 2 * 150}
    assert placement.trainer_ranks == {"this process": [0]}
    stall = next(record.stall for record in records if isinstance(record, EpochEnded))
    assert stall.causes["Production"] > 20 and stall.causes["Collate"] > 0
    said = [record.message for record in records if isinstance(record, Notice)]
    assert any("one trainer, and the run asks for 2" in sentence for sentence in said)


def test_a_debugger_stops_in_a_transform_and_ends_the_run_as_it_is_quit(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    typed = io.StringIO("print(sorted(row))\nquit\n")
    monkeypatch.setattr(sys, "breakpointhook", lambda: pdb.Pdb(stdin=typed, stdout=out).set_trace(sys._getframe(1)))
    last = debugged(changed(document, transform={"function": f"{__name__}:stopping", "kind": "Row"}))[-1]
    assert "stopping()" in out.getvalue() and "['x', 'y']" in out.getvalue()
    assert (last.exit_code, last.message.partition(";")[0]) == (10, "the debugger was quit")


def test_an_author_s_exception_is_shown_as_python_shows_it(
    document: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    last = debugged(changed(document, loss={"function": f"{__name__}:failing"}))[-1]
    assert last.exit_code in (12, 13)
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):")
    assert "in failing" in shown and 'KeyError: "the author\'s mistake"' in shown


def leaving(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    sys.exit(0)


def test_a_function_that_leaves_the_program_has_not_trained(document: dict[str, Any]) -> None:
    last = debugged(changed(document, loss={"function": f"{__name__}:leaving"}))[-1]
    assert (last.exit_code, last.message.rpartition(": ")[2]) == (13, "sys.exit(0)")


@pytest.mark.parametrize(("times", "said"), [(1, "stopped after saving a checkpoint"), (2, "interrupted")])
def test_ctrl_c_saves_a_checkpoint_and_a_second_one_ends_at_once(
    document: dict[str, Any], times: int, said: str
) -> None:
    step = {"function": f"{__name__}:interrupting", "parameters": {"times": times}}
    records = debugged(changed(document, trainStep=step))
    assert (records[-1].exit_code, records[-1].message.partition(";")[0]) == (10, said)
    assert [record.step for record in records if isinstance(record, CheckpointSaved)] == ([4] if times == 1 else [])


def test_a_command_of_the_run_s_own_is_refused(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document["spec"]["trainer"]["command"] = ["python", "train.py"]
    del document["spec"]["recipe"]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(document))
    assert program.main([str(tmp_path / "run.yaml"), "--debug"]) == 12
    assert capsys.readouterr().err.startswith("spec.trainer.command: found a command of the run's own, allowed with")
