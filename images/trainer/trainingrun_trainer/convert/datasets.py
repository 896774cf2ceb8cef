"""Named datasets of torchvision and scikit-learn. Both are imported only when one of theirs is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trainingrun_trainer.convert.errors import ConvertError, UsageError
from trainingrun_trainer.convert.sources import Indexed, Naming, Source, from_arrays, from_items, from_rows


def from_torchvision(
    name: str, *, split: str, root: str, download: bool, options: Mapping[str, Any], naming: Naming
) -> Source:
    """Return a dataset of torchvision.datasets, built with what its constructor takes of the arguments."""
    try:
        from torchvision import datasets
    except ImportError as error:
        raise UsageError(f"torchvision:{name} needs torchvision: pip install 'trainingrun[trainer]'") from error
    constructor = getattr(datasets, name, None)
    if name.startswith("_") or not inspect.isclass(constructor):
        raise UsageError(f"torchvision.datasets has no {name}; its names are listed in torchvision's documentation")
    arguments = _arguments(constructor, name, split=split, root=root, download=download) | dict(options)
    try:
        dataset = constructor(**arguments)
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        advice = "" if download else " (--download fetches missing files, --root says where they are)"
        raise ConvertError(f"torchvision:{name}: {error}{advice}") from error
    return from_dataset(dataset, naming)


def from_dataset(dataset: Any, naming: Naming) -> Source:
    """Return any torch Dataset: rows by number where it has a length, else rows that pass once."""
    names = getattr(dataset, "classes", None)
    known = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    classes = tuple(names) if known and names else ()
    if _passes_once(dataset):
        return from_rows(dataset, naming, classes=classes)
    return from_items(dataset, naming, classes=classes)


def from_sklearn(name: str, naming: Naming) -> Indexed:
    """Return one of scikit-learn's bundled datasets: `images` where it has them, else `data`."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise UsageError(f"sklearn:{name} needs scikit-learn: pip install 'trainingrun[demo]'") from error
    load = getattr(datasets, f"load_{name}", None)
    if load is None:
        raise UsageError(f"sklearn.datasets has no load_{name}; available: digits, iris, wine and breast_cancer")
    bunch = load()
    inputs = bunch.images if "images" in bunch else bunch.data
    if name == "digits":
        # Its grey values are 0..16 in float64; images are 0..255.
        inputs = np.round(inputs * (255 / 16)).astype(np.uint8)
    source = from_arrays({naming.input_column: inputs, naming.target_column: bunch.target}, naming)
    classes = tuple(str(name) for name in bunch.get("target_names", ()))
    return replace(source, classes=classes)


def _passes_once(dataset: Any) -> bool:
    from torch.utils.data import IterableDataset

    return isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__")


def _arguments(constructor: Any, name: str, *, split: str, root: str, download: bool) -> dict[str, Any]:
    takes = inspect.signature(constructor).parameters
    arguments: dict[str, Any] = {}
    if "root" in takes:
        arguments["root"] = root
    if "download" in takes:
        arguments["download"] = download
    if "split" in takes:
        arguments["split"] = split
    elif "train" in takes:
        if split not in {"train", "test"}:
            raise UsageError(f"--split: found {split}, allowed for torchvision:{name}: train, test")
        arguments["train"] = split == "train"
    elif split != "train":
        raise UsageError(f"--split: found {split}, but torchvision:{name} has no splits; omit --split")
    return arguments
