"""What is logged beside the metrics: means of single numbers since progress was last shown."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.scalars import Scalars


def test_numbers_and_tensors_are_means_since_the_last_time() -> None:
    scalars = Scalars()
    scalars.add({"temperature": 1.0, "norm": torch.tensor([[2.0]], requires_grad=True)})
    scalars.add({"temperature": torch.tensor(4, dtype=torch.int32), "steps": True})
    assert scalars.take() == {"temperature": 2.5, "norm": 2.0, "steps": 1.0}
    assert scalars.take() == {}
    scalars.add({"temperature": 7})
    assert scalars.take() == {"temperature": 7.0}


def test_a_tensor_that_changes_afterwards_is_logged_as_it_was() -> None:
    scalars, parameter = Scalars(), torch.tensor(1.0)
    scalars.add({"temperature": parameter})
    parameter.fill_(9.0)
    assert scalars.take() == {"temperature": 1.0}


def test_thousands_of_values_are_one_mean() -> None:
    scalars = Scalars()
    for value in range(1000):
        scalars.add({"number": value, "tensor": torch.tensor(float(value))})
    assert scalars.take() == {"number": 499.5, "tensor": 499.5}


def test_what_is_not_a_number_stays_so() -> None:
    scalars = Scalars()
    scalars.add({"x": math.nan})
    assert math.isnan(scalars.take()["x"])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"x": torch.zeros(2)}, "found a tensor of shape (2,)"),
        ({"x": "3"}, "found str"),
        ({"x": None}, "found NoneType"),
        ({"two words": 1.0}, "found the name 'two words'"),
        ({"x" * 129: 1.0}, "allowed: at most 128 letters"),
        ({f"name{n}": 1.0 for n in range(65)}, '"name64" is one name too many, allowed: 64'),
    ],
)
def test_anything_else_is_refused(values: dict[str, Any], found: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"^session\.log: ") as refused:
        Scalars().add(values)
    assert found in str(refused.value)
