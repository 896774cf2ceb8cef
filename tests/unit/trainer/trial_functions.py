"""Functions as authors write them, good and wrong, for the tests of the dry run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

F = torch.nn.functional


class TwoInputs(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.layer(ids * mask)


class AnyInputs(TwoInputs):
    def forward(self, **columns: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.layer(columns["b"] * 0 + columns["a"])


class KeywordOnly(TwoInputs):
    def forward(self, *, ids: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.layer(ids)


class Squeezing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).squeeze()


class Cut(Squeezing):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).detach()


class Frozen(Squeezing):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(False)


class SpareHead(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.spare = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Normed(torch.nn.Sequential):
    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2))


class CannotBeCopied(Normed):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot be copied")


class Patched(Normed):
    """Its forward is a function around this very model, as a copy's then is too."""

    def __init__(self) -> None:
        super().__init__()
        forward = self.forward
        self.forward = lambda x: forward(2 * x)  # type: ignore[method-assign]


class Hooked(Normed):
    """Another layer's outputs are made in a hook that keeps to this very model."""

    def __init__(self) -> None:
        super().__init__()
        self.other = torch.nn.Linear(4, 4)
        self[0].register_forward_hook(lambda module, inputs, outputs: outputs + self.other(inputs[0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self[3](self[2](self[1](self[0](x))))


class CannotBeLoaded(torch.nn.Linear):
    def __init__(self) -> None:
        super().__init__(4, 2)

    def state_dict(self, *arguments: Any, **keywords: Any) -> Any:
        return {f"model.{name}": value for name, value in super().state_dict(*arguments, **keywords).items()}


class OfText(torch.nn.Module):
    def __init__(self, rows: int = 10, sparse: bool = False) -> None:
        super().__init__()
        self.words, self.out = torch.nn.Embedding(rows, 4, sparse=sparse), torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.words(x).sum(1))


def with_softmax() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Softmax(dim=1))


def with_sigmoid() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Sigmoid())


def picture_net() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))


class OfItself(torch.nn.Module):
    """A loss that looks at nothing but a parameter of its own, which the optimizer lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.scale.square()


def of_others(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)


def of_model(model: torch.nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr)


def of_model_alone(params: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(params[:2], lr=0.1)


def of_bias(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([model.bias], lr=0.1)  # type: ignore[list-item]


def lambda_in_state(optimizer: torch.optim.Optimizer) -> Any:
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    scheduler.mine = lambda: 3  # type: ignore[attr-defined]
    return scheduler


def step(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any) -> dict[str, torch.Tensor]:
    outputs = model(batch["x"])
    right = (outputs.argmax(1) == batch["y"]).float().mean()
    return {"loss": F.cross_entropy(outputs, batch["y"]), "right": right, "rows": len(outputs)}  # type: ignore[dict-item]


def random_step(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    scale = random.random() + np.random.rand() + torch.rand(())
    return F.cross_entropy(model(batch["x"]), batch["y"]) * scale


def step_of_all_ranks(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    loss = F.cross_entropy(model(batch["x"]), batch["y"])
    dist.all_reduce(loss.detach().clone())
    return loss


def eval_step(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any) -> dict[str, torch.Tensor]:
    return {"median": model(batch["x"]).median()}


def eval_step_of_missing(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
    return batch["nothing"].mean()


def returned(model: torch.nn.Module, batch: dict[str, torch.Tensor], session: Any, what: str) -> Any:
    outputs = model(batch["x"])
    return {
        "rows": outputs[:, 0],
        "bool": (outputs > 0).all(),
        "number": 0.5,
        "nothing": None,
        "no loss": {"right": outputs.mean()},
        "detached": outputs.mean().detach(),
        "tensor of one": outputs.mean().reshape(1),
    }[what]


class Floating(torch.nn.Module):
    """Takes pictures of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flatten(1).float() / 255)
