"""The way of batches to the device that trains, and whether that device has work.

To a GPU they travel beside the computing, on a stream of their own. It must never wait for the device, except where
that is what it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch


@dataclass(frozen=True)
class Sent:
    """A batch on its way. `event` is when it arrives; None: it is there."""

    batch: dict[str, Any]
    event: Any = None


class DeviceLink(Protocol):
    """What the feed needs of a device."""

    def send(self, batch: dict[str, Any]) -> Sent:
        """Send `batch` to the device; called by the thread that makes batches."""

    def receive(self, sent: Sent) -> dict[str, Any]:
        """The batch on the device, for the computing that the calling thread queues from now on."""

    def is_idle(self) -> bool:
        """Whether everything that was queued is computed."""

    def drain(self) -> None:
        """Wait until everything that was queued is computed."""


class CpuLink:
    """The CPU computes at once: there is no way to go and nothing is ever queued."""

    def send(self, batch: dict[str, Any]) -> Sent:
        """See DeviceLink."""
        return Sent(batch)

    def receive(self, sent: Sent) -> dict[str, Any]:
        """See DeviceLink."""
        return sent.batch

    def is_idle(self) -> bool:
        """See DeviceLink."""
        return True

    def drain(self) -> None:
        """See DeviceLink."""


class CudaLink:
    """A GPU."""

    def __init__(self, device: torch.device):
        self._device = device
        self._copies = torch.cuda.Stream(device)

    def send(self, batch: dict[str, Any]) -> Sent:
        """See DeviceLink. Copied from pinned memory, so that the copy runs beside the computing."""
        with torch.cuda.stream(self._copies):
            there = _mapped(batch, lambda tensor: tensor.pin_memory().to(self._device, non_blocking=True))
            return Sent(there, self._copies.record_event())

    def receive(self, sent: Sent) -> dict[str, Any]:
        """See DeviceLink. The device itself waits for the copy, and keeps the memory until the computing is done."""
        computing = torch.cuda.current_stream(self._device)
        computing.wait_event(sent.event)

        def used(tensor: torch.Tensor) -> torch.Tensor:
            tensor.record_stream(computing)
            return tensor

        received: dict[str, Any] = _mapped(sent.batch, used)
        return received

    def is_idle(self) -> bool:
        """See DeviceLink."""
        return torch.cuda.current_stream(self._device).query()

    def drain(self) -> None:
        """See DeviceLink."""
        torch.cuda.current_stream(self._device).synchronize()


def link_to(device: torch.device) -> DeviceLink:
    """The link to `device`."""
    return CudaLink(device) if device.type == "cuda" else CpuLink()


def _mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """`value` with every tensor in it changed; what a collate hook puts beside tensors stays as it is."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _mapped(part, change) for name, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(part, change) for part in value))
    if isinstance(value, list | tuple):
        return type(value)(_mapped(part, change) for part in value)
    return value
