"""What the built-in recipe trains: ResNet-18 on images, normalised on the trainer.

Every function here is an ordinary hook that a run could replace by its own; nothing may depend on their being used.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from trainingrun_trainer.transform_marks import on_trainer


@on_trainer
def normalize(
    batch: dict[str, Any],
    *,
    mean: Any = 0.5,
    std: Any = 0.5,
    channels: int | None = None,
    input_columns: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The batch form of torchvision's `Compose([ToTensor(), Normalize(mean, std)])`, equal to it bit by bit.

    Every uint8 image column, (rows, height, width) or (rows, height, width, channels), becomes float32
    (rows, channels, height, width). `mean` and `std` are one number or one per channel. With `channels`, a
    grey image is shown to the model as that many equal channels, without a copy. With `input_columns`, which a
    recipe's transform is told, no other column is touched: a mask of classes is uint8, too.
    """
    import torch

    mean, std = (tuple(value) if isinstance(value, list) else value for value in (mean, std))
    images = {
        name: value
        for name, value in batch.items()
        if (input_columns is None or name in input_columns)
        and isinstance(value, torch.Tensor)
        and value.dtype == torch.uint8
        and value.ndim in (3, 4)
    }
    for name, image in images.items():
        planes = image.unsqueeze(1) if image.ndim == 3 else image.permute(0, 3, 1, 2)
        scaled = planes.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
        scaled.sub_(_per_channel(mean, scaled.device)).div_(_per_channel(std, scaled.device))
        batch[name] = scaled.expand(-1, channels, -1, -1) if channels and scaled.shape[1] == 1 else scaled
    return batch


# Made once and not for every batch: two small tensors cost as much as normalising a hundred pictures.
@functools.lru_cache(maxsize=16)
def _per_channel(value: float | tuple[float, ...], device: Any) -> Any:
    import torch

    return torch.as_tensor(value, dtype=torch.float32, device=device).reshape(1, -1, 1, 1)


def resnet18(num_classes: int = 10, in_channels: int = 1) -> Any:
    """ResNet-18 for images of `in_channels` channels. Input (rows, in_channels, height, width), output logits.

    The network is torchvision's; for another number of channels than three only its first convolution is replaced.
    """
    import torch
    from torchvision.models import resnet18 as build

    model = build(num_classes=num_classes)
    if in_channels != 3:
        model.conv1 = torch.nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return model


def accuracy(outputs: Any, targets: Any) -> Any:
    """Share of rows whose highest logit is the target. `outputs` (rows, classes), `targets` (rows,)."""
    return (outputs.argmax(dim=1) == targets).float().mean()
