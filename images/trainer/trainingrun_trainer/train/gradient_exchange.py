"""Makes gradients the mean over the ranks by hand, where DDP's hooks cannot: some rank has no rows, or a hook of the
recipe has called the model itself.

A parameter that no rank has used keeps no gradient: an optimizer would move it by momentum and weight decay otherwise,
which one process alone would not do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.distributed as dist

from trainingrun_trainer.train.lockstep import Lockstep

_BUCKET_BYTES = 32 << 20


def average(parameters: Iterable[torch.nn.Parameter], lockstep: Lockstep) -> None:
    """Replace each gradient by the mean over the ranks; a rank without one counts as zero. Collective.

    Every rank must give the same parameters in the same order.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if lockstep.world_size == 1 or not trained:
        return
    grads = [parameter.grad for parameter in trained]
    flags = lockstep.any([*(g is not None for g in grads), *(g is not None and g.is_sparse for g in grads)])
    used, sparse = flags[: len(trained)], flags[len(trained) :]
    dense: list[torch.Tensor] = []
    for parameter, is_used, is_sparse in zip(trained, used, sparse, strict=True):
        if is_sparse:
            parameter.grad = _sparse_mean(parameter, lockstep)
        elif is_used:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dense.append(parameter.grad)
    for bucket in _buckets(dense):
        flat = torch.cat([grad.reshape(-1) for grad in bucket]).div_(lockstep.world_size)
        dist.all_reduce(flat)
        _copy_back(flat, bucket)


def broadcast(tensors: Iterable[torch.Tensor], lockstep: Lockstep, *, source: int = 0) -> None:
    """Give every rank the values that rank `source` has. Collective."""
    if lockstep.world_size == 1:
        return
    for bucket in _buckets([tensor.detach() for tensor in tensors]):
        flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
        dist.broadcast(flat, src=source)
        _copy_back(flat, bucket)


def _sparse_mean(parameter: torch.nn.Parameter, lockstep: Lockstep) -> torch.Tensor:
    """Embeddings have few rows of gradient: they travel as they are, by the slow way."""
    grad = parameter.grad
    if grad is not None and not grad.is_sparse:
        grad = grad.to_sparse(1)
    mine = None
    if grad is not None:
        grad = grad.coalesce()
        mine = (grad.indices().cpu(), grad.values().cpu() / lockstep.world_size)
    parts = [part for part in lockstep.gather(mine) if part is not None]
    total = torch.sparse_coo_tensor(
        torch.cat([indices for indices, _ in parts], dim=1), torch.cat([values for _, values in parts]), parameter.shape
    )
    return total.coalesce().to(parameter.device)


def _buckets(tensors: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Groups of one type and device, none much larger than _BUCKET_BYTES."""
    open_buckets: dict[tuple[torch.dtype, torch.device], list[torch.Tensor]] = {}
    filled: dict[tuple[torch.dtype, torch.device], int] = {}
    for tensor in tensors:
        kind = tensor.dtype, tensor.device
        open_buckets.setdefault(kind, []).append(tensor)
        filled[kind] = filled.get(kind, 0) + tensor.nbytes
        if filled[kind] >= _BUCKET_BYTES:
            del filled[kind]
            yield open_buckets.pop(kind)
    yield from open_buckets.values()


def _copy_back(flat: torch.Tensor, bucket: list[torch.Tensor]) -> None:
    start = 0
    for tensor in bucket:
        tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()
