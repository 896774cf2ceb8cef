"""A run trains in the number format that it names, where the device can."""

from __future__ import annotations

import pytest
import torch

from trainingrun_trainer.train.steps import autocast_type


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        (None, "cuda", None),
        ("BF16", "cuda", torch.bfloat16),
        ("BF16", "cpu", torch.bfloat16),
        ("FP16", "cuda", torch.float16),
        ("FP16", "cpu", None),  # gradients would vanish: there is no scaler for a CPU
    ],
)
def test_the_number_format(precision: str | None, device: str, expected: torch.dtype | None) -> None:
    assert autocast_type(precision, device) is expected
