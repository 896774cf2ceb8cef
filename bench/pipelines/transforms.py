"""The row transform that the baselines share with our own pipeline of kind Row."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image
from torchvision.transforms import Compose, Normalize, ToTensor


def transform_images(row: dict[str, Any]) -> dict[str, Any]:
    """As in Ray's own introduction to training on images: everything is built again for each row."""
    transform = Compose([ToTensor(), Normalize((0.5,), (0.5,))])
    row["image"] = transform(Image.fromarray(np.array(row["image"], dtype=np.uint8)))
    return row
