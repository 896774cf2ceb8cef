"""What a person reads of a failure: the driver's, the kubelet's or KubeRay's own words, in at most 1 KiB."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seen_objects import NOW, a_run, ended_container, job, pod, ray_said, waits

from trainingrun.contract.records import AttemptEnded, Notice
from trainingrun.failures import Evidence, Failure, failure_of_ended, oldest_first
from trainingrun.failures.last_words import MAX_BYTES, driver_words, joined, last_words
from trainingrun.observed import Pod, RayJob, ray_job_of
from trainingrun.spec.run import RunSpec

MAX_MESSAGE = 4096
WHEN: dict[str, Any] = {"time": 1788264000.0, "attempt": 1}
RUN = a_run(
    trainer={"resourcesPerNode": {"limits": {"cpu": 4, "memory": "16Gi"}}},
    data={"resourcesPerNode": {"limits": {"cpu": 2, "memory": "3Gi"}}},
    head={"resources": {"limits": {"cpu": 1, "memory": "5Gi"}}},
).run
assert RUN is not None
SPEC: RunSpec = RUN.spec


def failed(ray_job: RayJob, pods: Iterable[Pod]) -> Failure:
    return failure_of_ended(Evidence(SPEC, ray_job, oldest_first(pods), NOW)).failure


def record(message: str) -> str:
    return AttemptEnded(**WHEN, outcome="UserError", exit_code=13, message=message, seconds=3.5).to_json()


def words_of(*seen: Pod, **fields: Any) -> str:
    return failed(job("Failed", **fields), seen).message


def ray_message(exit_code: int, log: str) -> str:
    return str(ray_said(exit_code, log)["message"])


def body(message: str) -> dict[str, Any]:
    return {"metadata": {"name": "mnist-0", "uid": "1"}, "status": {"jobStatus": "FAILED", "message": message}}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (ray_message(13, "Traceback"), 13),
        (ray_message(-9, ""), -9),
        ("Job entrypoint command failed with exit code 1. No logs available.", 1),
        ("Job entrypoint command failed to start", None),
        ("Unexpected error occurred: The actor died", None),
        ("", None),
    ],
)
def test_the_exit_code_is_read_from_rays_words(message: str, code: int | None) -> None:
    assert ray_job_of(body(message)).exit_code == code


def test_the_exit_code_is_found_even_where_the_words_are_cut() -> None:
    read = ray_job_of(body(ray_message(12, "x" * 20_000)))
    assert (read.exit_code, len(read.message)) == (12, MAX_MESSAGE)


def test_the_drivers_own_last_record_is_what_is_said() -> None:
    log = f"INFO worker\n{record('ValueError: no column')}\nSIGTERM handler: done\n"
    assert driver_words(ray_message(13, log)) == "ValueError: no column"


def test_the_drivers_record_is_read_even_when_its_beginning_is_cut_off() -> None:
    line = record("Traceback " + "\u00e4\U0001f600 " * 400 + "\nKeyError: 'label'")
    for cut in range(len(line) - 300, len(line) - 260):
        said = driver_words(line[cut:])
        assert said.endswith("\nKeyError: 'label'") and "\\" not in said


def test_without_a_record_the_end_of_the_log_is_what_is_said() -> None:
    notice = Notice(**WHEN, level="warning", message="a checkpoint is not intact").to_json()
    assert driver_words(ray_message(1, f"{notice}\nTraceback:\nKeyError: 3\n")) == "Traceback:\nKeyError: 3"


def test_rays_own_lead_is_not_repeated() -> None:
    assert driver_words("Job entrypoint command failed with exit code 1. No logs available.") == "No logs available."


@pytest.mark.parametrize(
    "noise", ["{", "[1]", '{"kind": "AttemptEnded"}', '{"kind": 3, "message": "x"}', "\0", "}" * 9]
)
def test_a_line_that_only_looks_like_a_record_is_part_of_the_log(noise: str) -> None:
    assert driver_words(f"{noise}\nKeyError: 3").endswith("KeyError: 3")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=3000), st.integers(16, 1200))
def test_no_text_is_longer_than_its_limit_and_its_end_is_kept(text: str, limit: int) -> None:
    kept = last_words(text, limit)
    assert len(kept.encode()) <= limit
    assert last_words(kept, limit) == kept
    json.dumps(kept).encode()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=900), max_size=4))
def test_words_that_are_joined_fit_too(parts: list[str]) -> None:
    assert len(joined(*parts).encode()) <= MAX_BYTES


def test_a_long_traceback_loses_its_beginning() -> None:
    said = last_words("\n".join(f'  File "a.py", line {line}' for line in range(400)) + "\nKeyError: 3")
    assert said.startswith("\u2026") and said.endswith("line 399\nKeyError: 3") and "  File" in said


def test_colours_and_characters_that_terminals_act_on_are_taken_out() -> None:
    assert last_words("\x1b[31mred\x1b[0m\x07 \u202eabc\r") == "red abc"


@pytest.mark.parametrize(
    ("group", "container", "limit"),
    [
        ("trainer", "ray-worker", "16Gi (spec.trainer.resourcesPerNode.limits.memory)"),
        ("data", "ray-worker", "3Gi (spec.data.resourcesPerNode.limits.memory)"),
        ("head", "ray-head", "5Gi (spec.head.resources.limits.memory)"),
        ("", "ray-worker", "more memory than its limit"),
    ],
)
def test_a_pod_out_of_memory_tells_the_limit_and_its_field(group: str, container: str, limit: str) -> None:
    killed = pod(group, name="p", terminations=ended_container(container=container))
    said = words_of(killed)
    assert said.startswith(f"container {container} of pod p on node node-1 was killed") and limit in said


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        (
            words_of(pod(name="p", disrupted="PreemptionByScheduler: preempting to accommodate a higher priority")),
            ["pod p on node node-1 was disrupted", "preempting to accommodate"],
        ),
        (
            words_of(pod(name="p", node="", status_reason="Evicted", status_message="low on ephemeral-storage")),
            ["pod p was evicted: low on ephemeral-storage"],
        ),
        (
            words_of(
                pod(name="p", ready=False, waiting=waits("ErrImagePull", "manifest unknown")),
                reason="PreRunningDeadlineExceeded",
            ),
            ["training did not start in time: ErrImagePull: manifest unknown"],
        ),
        (words_of(reason="SubmissionFailed", message="dial tcp"), ["SubmissionFailed: dial tcp"]),
        (words_of(deployment_status="ValidationFailed", message="name too long"), ["name too long"]),
        (words_of(**ray_said(10, record("Ctrl-C"))), ["stopped by a user: Ctrl-C"]),
        (words_of(**ray_said(-9)), ["SIGKILL", "the head pod ran out of memory"]),
        (words_of(**ray_said(33)), ["the training program ended with exit code 33"]),
        (words_of(reason=""), ["without giving a reason"]),
    ],
)
def test_the_words_of_whoever_knows_are_kept(said: str, parts: list[str]) -> None:
    assert [part for part in parts if part not in said] == []


def test_a_stop_that_left_no_message_is_told_without_its_exit_code() -> None:
    assert words_of(**ray_said(10)) == "stopped by a user"


@pytest.mark.parametrize(
    "failure",
    [
        failed(job("Failed", **ray_said(13, "x" * 20_000)), ()),
        failed(job("Failed", **ray_said(10, "\U0001f600" * 5_000)), ()),
        failed(job("Failed", reason="SubmissionFailed", message="y" * 20_000), ()),
        failed(job("Failed"), [pod(disrupted="z" * 30_000)]),
        failed(job("Failed"), [pod(status_reason="Evicted", status_message="z" * 30_000)]),
        failed(job("Failed", reason="PreRunningDeadlineExceeded"), [pod(waiting=waits("ErrImagePull", "z" * 30_000))]),
        failed(job("Failed", deployment_status="ValidationFailed", message="z" * 30_000), ()),
    ],
    ids=["log", "wide characters", "kuberay", "disruption", "eviction", "image", "validation"],
)
def test_no_words_are_longer_than_a_kibibyte(failure: Any) -> None:
    assert 200 < len(failure.message.encode()) <= 1024
