"""What the built-in recipe trains: ResNet-18 on images, normalised on the trainer; and random changes of pictures.

Every function here is an ordinary hook that a run could replace by its own; nothing may depend on their being used.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from trainingrun_trainer.seeding import by_row
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


class Augment:
    """Changes pictures at random while training, with transforms of torchvision.transforms.v2; for kind Class.

    `transforms` are the transforms' names with their arguments, in their order: `[{RandomCrop: {size: 28, padding: 4}},
    {RandomHorizontalFlip: {}}]`. Rows of the validation data get those of `validation`, such as a resize, if any.
    Every input column of uint8 pictures, (rows, height, width) or (rows, height, width, channels), is changed, and
    stays uint8. What a row gets follows from its seed alone, whichever rows are in the batch.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any]], validation: Sequence[Mapping[str, Any]] = ()):
        self._training = _composed(transforms)
        self._validation = _composed(validation) if validation else None

    def __call__(
        self, batch: dict[str, Any], *, training: bool, seeds: Any, input_columns: Sequence[str]
    ) -> dict[str, Any]:
        """The batch with other pictures. Raises ValueError where there are none, or their sizes differ afterwards."""
        import torch

        transform = self._training if training else self._validation
        columns = {name: torch.as_tensor(batch[name]) for name in input_columns if _is_pictures(batch.get(name))}
        if not columns:
            found = ", ".join(f"{name} {_words(batch.get(name))}" for name in input_columns)
            raise ValueError(
                f"no input column holds uint8 pictures of one shape, found {found}; encoded pictures are decoded with "
                "imageSize or imageMode of the dataset, or in a transform before this one"
            )
        for name, pictures in columns.items() if transform is not None else ():
            batch[name] = _changed(transform, pictures, seeds)
        return batch


def _composed(transforms: Sequence[Mapping[str, Any]]) -> Any:
    from torchvision.transforms import v2

    made = []
    for entry in transforms:
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ValueError(f"found {entry!r} among the transforms; allowed: one name with its arguments, each")
        ((name, arguments),) = entry.items()
        if not isinstance(getattr(v2, name, None), type):
            near = difflib.get_close_matches(name, [known for known in dir(v2) if known[0].isupper()], n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"torchvision.transforms.v2 has no {name}{guess}")
        made.append(getattr(v2, name)(**(arguments or {})))
    return v2.Compose(made)


def _changed(transform: Any, pictures: Any, seeds: Any) -> Any:
    import torch

    is_grey = pictures.ndim == 3
    planes = pictures.unsqueeze(1) if is_grey else pictures.permute(0, 3, 1, 2)
    made = by_row(transform, planes.contiguous(), seeds)
    shapes = {(str(one.dtype).removeprefix("torch."), tuple(one.shape)) for one in made}
    if len(shapes) > 1 or made[0].dtype != torch.uint8:
        found = " and ".join(f"{dtype} of shape {shape}" for dtype, shape in sorted(shapes)[:2])
        raise ValueError(f"the transforms made {found}; allowed: uint8 pictures of one size, which normalize scales")
    stacked = torch.stack(made)
    return stacked.squeeze(1) if is_grey and stacked.shape[1] == 1 else stacked.permute(0, 2, 3, 1).contiguous()


def _is_pictures(values: Any) -> bool:
    kind = str(getattr(values, "dtype", "")).removeprefix("torch.")
    return kind == "uint8" and getattr(values, "ndim", 0) in (3, 4)


def _words(values: Any) -> str:
    return f"of type {values.dtype} and shape {tuple(values.shape)}" if hasattr(values, "dtype") else "missing"


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
