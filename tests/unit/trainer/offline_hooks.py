"""Functions that the runs of `offline` name in their recipes. Other processes import this module by its name."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce


class Plain(nn.Module):
    """Two layers, of which the first keeps the shape of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.first(image)))


class UnusedHead(Plain):
    """With a part that the loss does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 2)


class SeveralOutputs(Plain):
    """Returns a dict of tensors, of which one has no gradient to give."""

    def forward(self, image: torch.Tensor) -> Any:
        inner = torch.tanh(self.first(image))
        return {"scores": self.last(inner), "inner": inner.detach()}


class Wrapped(nn.Module):
    """A model with an attribute called `module`, as DDP has one."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(4, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.module(image)))


class Normalised(nn.Module):
    """With batch norm over rows, or over the values that rows have per channel."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.last = nn.Linear(4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.norm.num_features == 1:
            image = self.norm(image.unsqueeze(1)).squeeze(1)
        else:
            image = self.norm(image)
        return self.last(image)


def sparse_model() -> nn.Module:
    return nn.Sequential(Rounded(), nn.EmbeddingBag(16, 3, sparse=True, mode="mean"))


class Rounded(nn.Module):
    """Numbers of a row as ids below 16."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image * 3).abs().long() % 16


class Margin(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs * self.scale, targets)


def first_of_several(outputs: dict[str, torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(outputs["scores"], targets)


def step(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> dict[str, torch.Tensor]:
    """Needs the author's own model: a wrapper has no `first`."""
    outputs = model.last(torch.tanh(model.first(batch["image"])))
    return {"loss": nn.functional.cross_entropy(outputs, batch["label"]), "spread": outputs.detach().var()}


def mean_output(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.float().mean()


def fraction(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.argmax(1) == targets).float().mean()


def broken(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if not outputs.requires_grad and not torch.is_grad_enabled():
        raise ValueError("the metric's mistake")
    return outputs.mean()


def first_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.square().mean()


def zero(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    return torch.zeros(())


class Synced(nn.SyncBatchNorm):
    """SyncBatchNorm by means of gloo, since torch's own works on GPUs only: waits for every rank of its group."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(rows)
        sums = torch.cat([rows.sum(0), rows.square().sum(0), torch.full((1,), float(len(rows)))])
        if dist.is_initialized() and self.process_group is not None:
            sums = all_reduce(sums, group=self.process_group)
        elif dist.is_initialized():
            sums = all_reduce(sums)
        size = self.num_features
        mean, count = sums[:size] / sums[-1], sums[-1]
        variance = sums[size : 2 * size] / count - mean.square()
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(variance.detach() * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        return (rows - mean) / (variance + self.eps).sqrt() * self.weight + self.bias


def synced_model() -> nn.Module:
    return nn.Sequential(Synced(4), nn.Linear(4, 3))


def normalised_model() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))


class HalfOnRank1(Plain):
    """Whose gradients have FP16's range, and on rank 1 less of it: they overflow there for longer."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        outputs = super().forward(image)
        if outputs.requires_grad:
            larger = 1024.0 if dist.is_initialized() and dist.get_rank() == 1 else 1.0
            outputs.register_hook(lambda gradient: (gradient * larger).half().float() / larger)
        return outputs


def root_of_zero(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A finite loss with a gradient that is NaN."""
    return (outputs * 0).sqrt().mean() + nn.functional.cross_entropy(outputs, targets)


def broadcasting(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    """Compares (rows, 1) with (rows,)."""
    return nn.functional.mse_loss(model(batch["image"])[:, :1], batch["label"].float())


def running_mean(model: nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    """What this rank validates with."""
    return model[0].running_mean.sum()


def fails_on_few_rows(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A metric that the last batch of an epoch is too short for."""
    if 1 < len(outputs) < 8:
        raise ValueError("too few rows to rank")
    return outputs.mean()


def logging_step(model: Any, batch: Any, session: Any) -> torch.Tensor:
    """A step that logs how many rows it had."""
    session.log({"rows": len(batch["label"])})
    return torch.nn.functional.cross_entropy(model(batch["image"]), batch["label"])
