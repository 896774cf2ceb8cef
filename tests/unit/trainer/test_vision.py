"""The built-in functions of a recipe for images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import Compose, Normalize, ToTensor
from trial_samples import recipe_of

from trainingrun_trainer.train.recipe_objects import trainer_transform
from trainingrun_trainer.transform_marks import runs_on_trainer
from trainingrun_trainer.vision import accuracy, normalize, resnet18

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(28, 28), (9, 7), (9, 7, 3), (9, 7, 1)])
@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.5), (0.1307, 0.3081)])
def test_normalize_equals_torchvision_bit_by_bit(shape: tuple[int, ...], mean: float, std: float) -> None:
    images = RNG.integers(0, 256, (300, *shape), dtype=np.uint8)
    images.reshape(300, -1)[:256, 0] = np.arange(256)  # every value there is
    channels = shape[2] if len(shape) == 3 else 1
    to_tensor = Compose([ToTensor(), Normalize((mean,) * channels, (std,) * channels)])
    made = normalize({"image": torch.from_numpy(images)}, mean=mean, std=std)["image"]
    assert made.dtype == torch.float32 and made.is_contiguous()
    assert torch.equal(made, torch.stack([to_tensor(image) for image in images]))


def test_every_channel_can_have_numbers_of_its_own() -> None:
    images = RNG.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    made = normalize({"image": torch.from_numpy(images)}, mean=mean, std=std)["image"]
    assert torch.equal(made, torch.stack([Compose([ToTensor(), Normalize(mean, std)])(image) for image in images]))


def test_grey_images_can_be_shown_as_three_channels() -> None:
    images = torch.from_numpy(RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8))
    made = normalize({"image": images}, channels=3)["image"]
    assert made.shape == (5, 3, 4, 4)
    assert torch.equal(made[:, 0], made[:, 2])
    assert torch.equal(made[:, :1], normalize({"image": images})["image"])


def test_only_columns_of_images_change() -> None:
    batch = {"image": torch.zeros(2, 4, 4), "label": torch.zeros(2, dtype=torch.uint8), "x": torch.ones(2, 4)}
    made = normalize(dict(batch))
    assert all(made[name] is batch[name] for name in batch)


def test_only_columns_that_are_inputs_change_where_a_recipe_says_which() -> None:
    pictures = torch.from_numpy(RNG.integers(0, 256, (3, 4, 4), dtype=np.uint8))
    batch = {"image": pictures, "mask": torch.ones(3, 4, 4, dtype=torch.uint8), "words": ["a", "b", "c"]}
    made = normalize(dict(batch), input_columns=("image",))
    assert made["mask"] is batch["mask"] and made["words"] is batch["words"]
    assert torch.equal(made["image"], normalize({"image": pictures})["image"])


def test_a_recipe_tells_normalize_which_columns_are_inputs() -> None:
    recipe = recipe_of(inputs=("photo",), targets=("mask",))
    batch = {name: torch.full((2, 4, 4), 255, dtype=torch.uint8) for name in ("photo", "mask")}
    made = trainer_transform(recipe, training=True)(batch)
    assert made["mask"].dtype == torch.uint8 and made["photo"].unique().tolist() == [1.0]


def test_normalize_runs_on_the_trainer() -> None:
    assert runs_on_trainer(normalize)
    assert not runs_on_trainer(accuracy)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_resnet_takes_images_of_any_number_of_channels(channels: int) -> None:
    model = resnet18(num_classes=7, in_channels=channels).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, channels, 32, 32)).shape == (2, 7)


def test_accuracy_is_the_share_of_highest_logits() -> None:
    outputs = torch.tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0], [5.0, 4.0]])
    assert float(accuracy(outputs, torch.tensor([1, 0, 0, 0]))) == 0.75
