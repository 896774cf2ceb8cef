"""What becomes of rows on the data group, as a recipe and as a script of one's own have it."""

from __future__ import annotations

import time

import numpy as np

# So that a training lasts long enough to be disturbed.
ROW_SECONDS = 0.02


def slowly(row):
    """The row as it is."""
    time.sleep(ROW_SECONDS)
    return row


def pixels(batch):
    """Images of a batch as numbers from 0 to 1."""
    images = np.stack([np.frombuffer(image, np.uint8) for image in batch["image"]]).astype(np.float32) / 16
    return {"image": images, "label": batch["label"]}
