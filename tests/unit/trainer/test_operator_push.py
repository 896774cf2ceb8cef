"""The operator is told of progress by Kubeflow Trainer's protocol, and training never waits for it."""

from __future__ import annotations

import itertools
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from https_receiver import Receiver
from progress_samples import ended, notice, progress, saved, started
from push_samples import metrics_of, steps_of

from trainingrun.contract.progress_protocol import MAX_METRICS, decode
from trainingrun.contract.records import DataGroup, KeptCheckpoint, Progress
from trainingrun.engine.progress.reported_status import reported_status
from trainingrun_trainer.driver.progress_push import AttemptProgress, Endpoint, OperatorPush


def test_the_request_follows_the_protocol(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint)
    push.emit(progress(7))
    push.close()
    (request,) = receiver.requests
    assert request.headers["Authorization"] == "Bearer first-token"
    assert request.headers["Content-Type"] == "application/json"
    status = request.body["trainerStatus"]
    assert set(request.body) == {"trainerStatus"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status.pop("lastUpdatedTime"))
    metrics = {metric["name"]: metric["value"] for metric in status.pop("metrics")}
    assert status == {"progressPercentage": 12, "estimatedRemainingSeconds": 62}
    assert all(isinstance(value, str) for value in metrics.values())
    assert metrics.items() >= {
        ("loss", "0.25"),
        ("accuracy", "0.9"),
        ("currentEpoch", "2"),
        ("totalEpochs", "4"),
        ("step", "7"),
        ("rowsPerSecond", "1234.57"),
        ("dataStallPercentage", "4"),
        ("dataStallSteadyPercentage", "2"),
        ("dataStallProductionPercentage", "3"),
        ("goodputPercentage", "95"),
    }


def test_what_is_not_known_is_left_out_and_strange_numbers_travel(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint)
    push.emit(progress(1, eta_seconds=None, metrics={"loss": float("nan")}))
    push.close()
    status = receiver.requests[0].body["trainerStatus"]
    assert "estimatedRemainingSeconds" not in status
    assert {"name": "loss", "value": "nan"} in status["metrics"]


def test_the_token_is_read_anew_each_time(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint, interval_seconds=0.05)
    push.emit(progress(1))
    receiver.wait_for(1)
    Path(endpoint.token_file or "").write_text("rotated-token")
    push.emit(progress(2))
    receiver.wait_for(2)
    push.close()
    tokens = [request.headers["Authorization"] for request in receiver.requests]
    assert tokens == ["Bearer first-token", "Bearer rotated-token"]


def test_pushes_keep_their_distance_and_the_last_progress_arrives(receiver: Receiver, endpoint: Endpoint) -> None:
    interval = 0.3
    push = OperatorPush(endpoint, interval_seconds=interval)
    steps = 0
    until = time.monotonic() + 5.5 * interval
    while time.monotonic() < until:
        steps += 1
        push.emit(progress(steps))
        time.sleep(0.01)
    push.emit(ended())
    push.close()
    times = [request.time for request in receiver.requests]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[:-1])]  # the end may come early
    assert min(gaps) > 0.6 * interval  # a request's own time varies
    assert 3 <= len(times) <= 8
    sent = steps_of(receiver)
    assert sent == sorted(sent)
    assert sent[-1] == steps


def test_progress_after_a_pause_is_pushed_without_another_wait(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint, interval_seconds=0.05)
    for step in (1, 2, 3):
        push.emit(progress(step))
        receiver.wait_for(step, seconds=5.0)
    push.close()
    assert steps_of(receiver) == [1, 2, 3]


def test_checkpoints_and_the_attempt_are_told_in_words(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint, interval_seconds=0.05)
    push.emit(started(attempt=3, resumed_from="step-00000040-e00001a2g1"))
    push.emit(progress(41, attempt=3))
    receiver.wait_for(1)
    push.emit(saved(50))
    receiver.wait_for(2)
    push.close()
    first, second = metrics_of(receiver)
    assert (first["attempt"], first["resumedFrom"], first["checkpoint"]) == ("3", *2 * ["step-00000040-e00001a2g1"])
    assert second["checkpoint"] == "step-00000050-e00001a0g1"
    assert (second["resumedFrom"], second["step"]) == ("step-00000040-e00001a2g1", "41")


def test_figures_of_notices_are_told_with_the_progress(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint)
    push.emit(replace(notice("training uses one GPU of two"), figures={"gpusUsed": 1.0, "gpusHeld": 2.0}))
    push.emit(notice("something else"))
    push.emit(progress(7))
    push.close()
    assert metrics_of(receiver)[-1].items() >= {("gpusUsed", "1"), ("gpusHeld", "2"), ("step", "7")}


def test_a_run_from_the_beginning_names_no_checkpoint_until_there_is_one(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    push = OperatorPush(endpoint)
    push.emit(started())
    push.emit(progress(1))
    push.close()
    (metrics,) = metrics_of(receiver)
    assert metrics["attempt"] == "0"
    assert metrics.keys().isdisjoint({"checkpoint", "resumedFrom"})


def test_the_start_does_not_hold_up_the_news_of_the_first_step(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint, interval_seconds=60.0)
    push.emit(started())
    push.emit(notice("workers are being started"))
    push.emit(progress(1))
    receiver.wait_for(1, seconds=5.0)
    push.close()
    assert steps_of(receiver) == [1]


def test_a_checkpoint_keeps_its_distance_too_and_is_told_even_before_progress(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    push = OperatorPush(endpoint, interval_seconds=60.0)
    push.emit(saved(5))
    receiver.wait_for(1, seconds=5.0)
    push.emit(saved(6))
    push.emit(saved(7))
    push.emit(ended())
    push.close()
    assert [metrics["checkpoint"][:13] for metrics in metrics_of(receiver)] == ["step-00000005", "step-00000007"]
    assert "progressPercentage" not in receiver.requests[0].body["trainerStatus"]


def test_only_progress_is_pushed(receiver: Receiver, endpoint: Endpoint) -> None:
    push = OperatorPush(endpoint)
    push.emit(notice("not the operator's business"))
    push.emit(ended())
    push.emit(progress(1))  # nothing comes after the end
    push.close()
    assert receiver.requests == []


def test_the_endpoint_comes_from_kubeflows_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEFLOW_TRAINER_SERVER_URL", raising=False)
    assert Endpoint.from_environment() is None
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_URL", "https://operator/status")
    assert Endpoint.from_environment() == Endpoint("https://operator/status", None, None)
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_CA_CERT", "/ca.crt")
    monkeypatch.setenv("KUBEFLOW_TRAINER_SERVER_TOKEN", "/token")
    assert Endpoint.from_environment() == Endpoint("https://operator/status", "/ca.crt", "/token")


def data_status_of(receiver: Receiver, endpoint: Endpoint, record: Progress) -> dict[str, Any]:
    """What the operator makes of a push."""
    push = OperatorPush(endpoint, interval_seconds=0.05)
    push.emit(record)
    push.close()
    return reported_status(decode(json.dumps(receiver.requests[-1].body).encode())).data


def test_what_the_cache_had_and_how_many_rows_were_left_out_is_told(receiver: Receiver, endpoint: Endpoint) -> None:
    data = DataGroup(wanted_nodes=1, reason="Enough.", cache="Hit")
    said = data_status_of(receiver, endpoint, progress(1, data=data, bad_rows=12_345_678))
    assert (said["cache"], said["badRows"]) == ("Hit", 12_345_678)
    bare = data_status_of(receiver, endpoint, progress(2, data=DataGroup(wanted_nodes=1, reason="Enough.")))
    assert not {"cache", "badRows"} & bare.keys()


def test_the_size_of_the_data_group_is_told(receiver: Receiver, endpoint: Endpoint) -> None:
    data = DataGroup(wanted_nodes=4, reason="Growing from 2 to 4 data nodes.", gain_percentage=90)
    said = data_status_of(receiver, endpoint, progress(1, data=data))
    assert {name: said[name] for name in ("wantedNodes", "reason", "gainPercentage")} == {
        "wantedNodes": 4,
        "reason": "Growing from 2 to 4 data nodes.",
        "gainPercentage": 90,
    }


def told_after(*records: Any) -> dict[str, str]:
    known = AttemptProgress(attempt=0)
    for record in records:
        known = known.after(record)
    return decode(known.body(datetime(2026, 9, 1, tzinfo=UTC))).metrics_by_name()


def test_the_newest_and_the_best_checkpoint_are_told_with_their_metrics() -> None:
    told = told_after(saved(50, best=True, validation_loss=0.5), saved(100, validation_loss=0.75), progress(101))
    assert told["checkpoint"] == "step-00000100-e00001a0g1" and told["bestCheckpoint"] == "step-00000050-e00001a0g1"
    assert (told["checkpoint.validation_loss"], told["bestCheckpoint.validation_loss"]) == ("0.75", "0.5")
    assert told["loss"] == "0.25"


def test_an_attempt_that_resumes_knows_the_best_checkpoint_of_those_before_it() -> None:
    best = KeptCheckpoint(name="step-00000050-e00001a0g1", metrics={"loss": 0.5})
    told = told_after(started(1, resumed_from="step-00000100-e00001a0g1", best=best), progress(101))
    assert (told["bestCheckpoint"], told["bestCheckpoint.loss"]) == (best.name, "0.5")


@pytest.mark.parametrize("many", [40, MAX_METRICS - 20])
def test_many_metrics_of_the_program_s_own_do_not_keep_a_report_from_arriving(many: int) -> None:
    metrics = {f"{'m' * 120}{number:03}"[-125:]: 0.5 for number in range(many)}
    told = told_after(saved(50, best=True, **metrics), progress(51, metrics=metrics))
    assert metrics.keys() <= told.keys()
    assert told["checkpoint"] == told["bestCheckpoint"] == "step-00000050-e00001a0g1"
