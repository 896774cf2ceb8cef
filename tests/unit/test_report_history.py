"""The history of a run: attempts joined into one course, repeated work once, unknown stays unknown."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from record_samples import complete_run, resumed_run, sample, write_run

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Placement,
    Progress,
    Record,
    Stall,
)
from trainingrun.history import NoRecords, history_of, read_records
from trainingrun.history.advice import next_step, stall_advice
from trainingrun.history.run import mean_stall


def stall_of(total: float, steady: float, causes: dict[str, float]) -> Stall:
    return Stall(total_percent=total, steady_percent=steady, causes=causes)


def test_a_complete_run():
    history = history_of(complete_run())
    assert (history.name, history.total_epochs, history.epochs_done) == ("digits", 2, 2)
    assert [report.step for report in history.progress] == list(range(1, 41))
    assert history.metrics == {"loss": 0.5, "validation_accuracy": 0.75}
    assert history.rows_per_second == 1000.0
    assert history.seconds == 60.0
    assert history.best_checkpoint and history.best_checkpoint.step == 20
    assert history.last_checkpoint and history.last_checkpoint.step == 40
    assert history.data_nodes == ["cpu-0", "cpu-1"]
    assert history.trainer_nodes == ["gpu-0"]
    assert history.resumptions == []
    assert next_step(history) is None


def test_repeated_steps_are_there_once_as_last_done():
    history = history_of(resumed_run())
    assert [report.step for report in history.progress] == list(range(1, 41))
    assert {report.metrics["loss"] for report in history.progress[20:]} == {1.0}
    assert len(history.reports) == 30 + 15 + 20
    assert [(r.step, r.repeated_steps, r.inside_attempt) for r in history.resumptions] == [
        (20, 10, False),
        (20, 15, True),
    ]
    assert [epoch.epoch for epoch in history.epochs] == [0, 1]


def test_lost_steps_stay_until_they_are_done_again():
    records = resumed_run()
    begun = next(index for index, record in enumerate(records) if record.attempt == 1)
    history = history_of(records[: begun + 1])
    assert history.progress[-1].step == 30
    assert history.resumptions == []


def test_a_report_repeated_at_one_step_counts_once():
    history = history_of([sample(Progress, 1, step=5), sample(Progress, 2, step=5, metrics={"loss": 9.0})])
    assert [report.metrics for report in history.progress] == [{"loss": 9.0}]


def test_what_is_not_recorded_is_unknown():
    history = history_of([sample(Notice)])
    assert history.name is None
    assert history.total_epochs is None
    assert history.epochs_done is None
    assert history.rows_per_second is None
    assert history.stall is None
    assert history.goodput_percent is None
    assert history.best_checkpoint is None
    assert history.data_nodes == []
    assert "unknown" in stall_advice(history.stall)


def test_a_node_without_rows_did_not_run_data():
    history = history_of([sample(Placement, data_rows={"cpu-0": 0, "cpu-1": 3})])
    assert history.data_nodes == ["cpu-1"]


def test_mean_stall_is_weighted_by_time():
    mean = mean_stall([(stall_of(0.0, 0.0, {}), 30.0), (stall_of(40.0, 20.0, {"Transfer": 40.0}), 10.0)])
    assert mean == stall_of(10.0, 5.0, {"Transfer": 10.0})
    assert mean_stall([(stall_of(math.nan, 0.0, {}), 30.0)]) is None
    assert mean_stall([]) is None


@pytest.mark.parametrize(
    ("stall", "words"),
    [
        (stall_of(1.0, 0.5, {"Production": 1.0}), "nothing needs to change"),
        (stall_of(60.0, 55.0, {"Production": 50.0, "Collate": 10.0}), "spec.data.numNodes"),
        (stall_of(60.0, 55.0, {"Production": 5.0, "Transfer": 55.0}), "spec.recipe.dataset.prefetchBatches"),
        (stall_of(60.0, 55.0, {"Collate": 60.0}), "spec.recipe.collate"),
        (stall_of(60.0, 1.0, {"Production": 60.0}), "first batch of each epoch"),
        (stall_of(60.0, 55.0, {}), "no cause was recorded"),
        (stall_of(60.0, 55.0, {"Moonlight": 60.0}), "Moonlight"),
        (stall_of(math.nan, 55.0, {}), "unknown"),
    ],
)
def test_stall_advice_names_what_to_change(stall: Stall, words: str):
    assert words in stall_advice(stall)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([sample(AttemptStarted)], "No end was recorded"),
        ([sample(AttemptStarted, resumed_from="old-7")], "continues from old-7"),
        ([sample(AttemptEnded, outcome="UserError")], "starts from the beginning"),
        ([sample(CheckpointSaved), sample(AttemptEnded, outcome="Preempted")], "checkpoint of step 20"),
        ([sample(AttemptEnded, outcome="InvalidConfig")], "a retry alone cannot help"),
        ([sample(AttemptEnded, outcome="Infrastructure")], "out-of-memory"),
        ([sample(AttemptEnded, outcome="Aborted")], "stopped on request"),
        ([sample(AttemptEnded, outcome="Moonlight")], "does not know the outcome Moonlight"),
    ],
)
def test_every_end_says_what_to_do_next(records: list[Record], words: str):
    assert words in (next_step(history_of(records)) or "")


def test_every_outcome_of_an_exit_code_is_known():
    steps = {code: next_step(history_of([sample(AttemptEnded, outcome=code.outcome)])) for code in Exit}
    assert steps.pop(Exit.COMPLETE) is None
    for step in steps.values():
        assert step is not None and "does not know" not in step and not step.endswith("..")


def test_a_folder_is_read_around_torn_lines(tmp_path: Path):
    directory = write_run(tmp_path, resumed_run(), torn='{"kind":"Progress","time":17')
    (directory / "progress" / "attempt-0010.jsonl").write_text(sample(AttemptStarted, 200, 10).to_json() + "\n")
    (directory / "progress" / "notes.txt").write_text("not a record")
    assert read_records(directory) == [*resumed_run(), sample(AttemptStarted, 200, 10)]


def test_a_folder_without_records_says_what_was_expected(tmp_path: Path):
    with pytest.raises(NoRecords, match=r"found no progress records, expected .*attempt-0000\.jsonl"):
        read_records(tmp_path)


def test_a_checkpoint_that_is_told_again_as_the_best_is_one_checkpoint():
    first, second = sample(CheckpointSaved, path="a", best=False), sample(CheckpointSaved, path="b", best=False)
    again = sample(CheckpointSaved, path="b", best=True)
    history = history_of([first, second, again])
    assert [saved.path for saved in history.checkpoints] == ["a", "b"]
    assert history.best_checkpoint == again


def test_a_script_of_ones_own_that_goes_on_keeps_what_it_had_trained():
    """It does not say where it begins: that is where its first step is."""
    script = {"epochs": None, "configuration": {}}
    ended = {"rows": None, "stall": None, "epochs": 3}
    records = [
        sample(AttemptStarted, 0, **script),
        *(sample(EpochEnded, n + 1, epoch=n, step=n + 1, **ended) for n in range(2)),
        sample(AttemptStarted, 10, 1, **script),
        sample(EpochEnded, 12, 1, epoch=2, step=3, **ended),
        sample(Progress, 12, 1, epoch=3, epochs=3, step=3, rows_per_second=None, stall=None),
    ]
    history = history_of(records)
    assert [epoch.epoch for epoch in history.epochs] == [0, 1, 2]
    assert (history.epochs_done, history.total_epochs) == (3, 3)
    assert [(item.step, item.repeated_steps) for item in history.resumptions] == [(2, 0)]
    assert (history.rows_per_second, history.stall) == (None, None)
