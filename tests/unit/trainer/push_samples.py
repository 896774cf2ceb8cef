"""What pushed requests have told, for the tests of OperatorPush."""

from __future__ import annotations

from https_receiver import Receiver


def metrics_of(receiver: Receiver) -> list[dict[str, str]]:
    found = [request.body["trainerStatus"]["metrics"] for request in receiver.requests]
    return [{metric["name"]: metric["value"] for metric in metrics} for metrics in found]


def steps_of(receiver: Receiver) -> list[int]:
    return [int(metrics["step"]) for metrics in metrics_of(receiver)]
