"""What a failure is: its class, its words, and where it was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainingrun.contract.failure_class import FailureClass
from trainingrun.observed import Pod

# Exit codes of processes that a signal ended, as shells and the kubelet write them.
_SIGNAL_BASE = 128


@dataclass(frozen=True)
class Failure:
    """A failure of an attempt. `node` and `pod` name the place where its cause was seen, if there is one."""

    failure_class: FailureClass
    message: str
    exit_code: int | None = None
    node: str = ""
    pod: str = ""

    def at(self, pod: Pod | None) -> Failure:
        """The same failure, seen on `pod`."""
        return self if pod is None else replace(self, node=pod.node, pod=pod.name)


def shell_code(exit_code: int | None) -> int | None:
    """An exit code from 0 to 255. Ray, as Python does, writes the end by signal N as -N, which shells write 128+N."""
    if exit_code is None:
        return None
    return (_SIGNAL_BASE - exit_code if exit_code < 0 else exit_code) & 0xFF
