"""Watches the torch calls of a model, a loss or a metric for what runs without an error and is still a mistake, and for
what on a GPU would end the process without a sentence.

Only for the dry run: looking at values waits for the device.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

F = torch.nn.functional
_CLASS_LOSSES = {F.cross_entropy, F.nll_loss, F.multi_margin_loss}
# Torch's losses that compare element by element, and broadcast where shapes differ.
_ELEMENT_LOSSES = {
    F.mse_loss,
    F.l1_loss,
    F.smooth_l1_loss,
    F.huber_loss,
    F.kl_div,
    F.poisson_nll_loss,
    F.gaussian_nll_loss,
    F.hinge_embedding_loss,
    F.soft_margin_loss,
    F.multilabel_soft_margin_loss,
}
_MANY = 8


class Mistake(Exception):
    """What a watched call would do wrong, in a sentence without the hook's field."""


class Broadcast(Mistake):
    """Targets of another shape than the outputs would be repeated against them."""


class CallWatch(TorchFunctionMode):
    """A context in which torch's calls are looked at. Raises Mistake; `notices` are sentences about doubtful calls.

    With `outputs` and `targets`, a call that compares tensors of their shapes by broadcasting is a Broadcast if its
    result is larger than both, and a notice otherwise. `outer` are sentences about calls that compare targets of shape
    (rows, 1, ...) with (rows, ...), such as classes made of outputs: each row's with those of all rows.
    """

    def __init__(self, outputs: Any = None, targets: Any = None):
        super().__init__()
        self.notices: list[str] = []
        self.outer: list[str] = []
        self.is_class_loss = False
        are_tensors = isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)
        self._column = targets.shape if are_tensors and _is_column(targets) else None
        self._shapes = {outputs.shape, targets.shape} if are_tensors and outputs.shape != targets.shape else None
        self._said = f"outputs {shape_of(outputs)}, targets {shape_of(targets)}"

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        kwargs = kwargs or {}
        if func in _CLASS_LOSSES:
            self.is_class_loss = True
            self._check_classes(func, *_bound(func, args, kwargs))
        elif func is F.embedding:
            _check_ids(*_bound(func, args, kwargs)[:2])
        elif func in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
            self._check_shares(func, *_bound(func, args, kwargs)[:2])
        result = func(*args, **kwargs)
        if self._shapes is not None or self._column is not None:
            self._check_shapes(func, args, kwargs, result)
        return result

    def _check_shapes(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        pair = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)][:2]
        if len(pair) < 2:
            return
        shapes = {pair[0].shape, pair[1].shape}
        is_column = self._column is not None and shapes == {self._column, self._column[:1] + self._column[2:]}
        if shapes != self._shapes and not is_column:
            return
        name = getattr(func, "__name__", str(func))
        try:
            made = torch.broadcast_shapes(pair[0].shape, pair[1].shape)
        except RuntimeError:
            return
        is_compared = func in _ELEMENT_LOSSES
        if not is_compared and not (isinstance(result, torch.Tensor) and result.shape == made):
            return
        count = made.numel()
        is_outer = count > max(pair[0].numel(), pair[1].numel()) or pair[0].numel() == pair[1].numel()
        sentence = f"{name} broadcasts them against each other to {tuple(made)}: {self._said}"
        if shapes != self._shapes:
            found = " and ".join(str(tuple(each.shape)) for each in pair)
            self.outer.append(f"{name} compares {found}, each row with all rows: {self._said}")
        elif is_outer or is_compared:
            raise Broadcast(f"{sentence}; allowed: targets of the outputs' shape")
        else:
            self.notices.append(sentence)

    def _check_classes(self, func: Any, scores: Any, targets: Any, ignored: Any) -> None:
        if not isinstance(targets, torch.Tensor) or targets.numel() == 0:
            return
        scores = scores.detach()
        if targets.is_floating_point():
            return self._doubt_shares(func, scores, targets)
        classes = scores.shape[1] if scores.ndim > 1 else scores.shape[0]
        kept = targets[targets != ignored] if isinstance(ignored, int) else targets
        if classes == 1 and func is not F.multi_margin_loss:
            raise Mistake(
                f"{func.__name__} of one score a row is 0 whatever the score is: outputs {tuple(scores.shape)}; "
                "allowed: one score for each class, or a loss for one score such as torch.nn:BCEWithLogitsLoss"
            )
        if kept.numel() and (int(kept.min()) < 0 or int(kept.max()) >= classes):
            least, most = int(kept.min()), int(kept.max())
            shift = " (do classes count from 1?)" if least == 1 and most == classes else ""
            raise Mistake(
                f"the targets' classes run from {least} to {most}{shift}, but outputs {tuple(scores.shape)} have "
                f"scores for the classes 0 to {classes - 1}; change the number of outputs, or the classes"
            )
        self._doubt_scores(func, scores)

    def _doubt_shares(self, func: Any, scores: torch.Tensor, targets: torch.Tensor) -> None:
        if func is not F.cross_entropy or targets.shape != scores.shape:
            return
        sums = targets.sum(dim=1 if targets.ndim > 1 else 0)
        if not bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3)):
            self.notices.append(
                f"cross_entropy takes targets {tuple(targets.shape)} as a probability for each class, but those of a "
                f"row add up to {float(sums.min()):g} to {float(sums.max()):g}; for several labels a row: "
                "torch.nn:BCEWithLogitsLoss"
            )

    def _doubt_scores(self, func: Any, scores: torch.Tensor) -> None:
        if func is F.nll_loss and float(scores.max()) > 0:
            self.notices.append("nll_loss wants logarithms of probabilities, but outputs are positive: use log_softmax")
        if func is F.cross_entropy and scores.shape[0] >= _MANY and float(scores.min()) >= 0:
            sums = scores.float().sum(dim=1 if scores.ndim > 1 else 0)
            if bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3)):
                self.notices.append("cross_entropy applies softmax, but outputs are probabilities already")

    def _check_shares(self, func: Any, scores: torch.Tensor, targets: Any) -> None:
        if not isinstance(targets, torch.Tensor) or targets.numel() == 0:
            return
        least, most = float(targets.min()), float(targets.max())
        if least < 0 or most > 1:
            raise Mistake(f"{func.__name__} wants targets from 0 to 1; found {least:g} to {most:g}")
        least, most = float(scores.detach().min()), float(scores.detach().max())
        if func is F.binary_cross_entropy and (least < 0 or most > 1):
            raise Mistake(
                f"{func.__name__} wants probabilities from 0 to 1, but outputs run from {least:g} to {most:g}; end the "
                "model with a sigmoid, or use torch.nn:BCEWithLogitsLoss"
            )
        if func is F.binary_cross_entropy_with_logits and scores.numel() >= _MANY and 0 <= least and most <= 1:
            self.notices.append(
                f"{func.__name__} applies a sigmoid, but all outputs lie between 0 and 1: does the model end with one?"
            )


def shape_of(value: Any) -> str:
    """Type and shape of what a hook got or returned, in a few words."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {shape_of(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        listed = ", ".join(shape_of(each) for each in value[:4])
        return f"{type(value).__name__}({listed}{', …' if len(value) > 4 else ''})"
    return type(value).__name__


def _is_column(targets: torch.Tensor) -> bool:
    return targets.ndim > 1 and targets.shape[0] > 1 == targets.shape[1]


def _check_ids(ids: Any, weights: torch.Tensor) -> None:
    if isinstance(ids, torch.Tensor) and ids.numel() and not ids.is_floating_point():
        least, most = int(ids.min()), int(ids.max())
        if least < 0 or most >= weights.shape[0]:
            raise Mistake(f"ids run from {least} to {most}, but the embedding has {weights.shape[0]} rows, from 0 on")


def _bound(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The first two arguments and `ignore_index`."""
    bound = inspect.signature(func).bind(*args, **kwargs)
    bound.apply_defaults()
    first, second, *_ = bound.arguments.values()
    return first, second, bound.arguments.get("ignore_index")
