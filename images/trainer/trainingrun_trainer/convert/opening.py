"""From what a user names, or hands over in a notebook, to a source of rows."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from trainingrun_trainer.convert import datasets, files, frames
from trainingrun_trainer.convert.errors import ConvertError, SourceFailed, UsageError
from trainingrun_trainer.convert.sources import Naming, Source, from_arrays, from_items, from_rows

FORMS = (
    "torchvision:NAME, sklearn:NAME, folder:PATH, a file, directory, glob or URI of Parquet, CSV, JSON, WebDataset or "
    "images in class folders, a .npy, .npz or .pkl file, or module:function"
)


@dataclass(frozen=True)
class Access:
    """How a named source is reached: its split, the folder it lies in, arguments of its constructor, whose classes."""

    split: str = "train"
    root: str = "data"
    download: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    classes_from: str | None = None


def open_source(source: Any, access: Access, naming: Naming) -> Source:
    """Return the rows of a source: one of FORMS, or an object that module:function may also return.

    Raises UsageError for a name of no known form, ConvertError for a source that cannot be read.
    """
    if isinstance(source, Path):
        return _from_path(str(source), access, naming)
    if not isinstance(source, str):
        return _from_object(source, naming)
    form, colon, name = source.partition(":")
    if form == "torchvision" and colon:
        return datasets.from_torchvision(
            name,
            split=access.split,
            root=access.root,
            download=access.download,
            options=access.options,
            naming=naming,
        )
    if form == "sklearn" and colon:
        return datasets.from_sklearn(name, naming)
    if form == "folder" and colon:
        return files.from_folder(name, access.split, naming, access.classes_from)
    if "://" in source or Path(source).exists() or not colon:
        return _from_path(source, access, naming)
    return _from_function(source, access.options, naming)


def _from_path(path: str, access: Access, naming: Naming) -> Source:
    suffix = Path(path).suffix
    if suffix in {".npy", ".npz", ".pkl", ".pickle"}:
        if not Path(path).is_file():
            raise ConvertError(f"{path}: no such file")
        return _from_numpy(Path(path), naming) if suffix in {".npy", ".npz"} else frames.from_pickle(Path(path), naming)
    format_name = files.format_at(path)
    if format_name is None:
        raise UsageError(f"SOURCE: found {path}, allowed: {FORMS}")
    if format_name == "Images":
        return files.from_folder(path, access.split, naming, access.classes_from)
    if format_name == "JSON" and frames.is_json_array(path):
        return frames.from_json_array(path, naming)
    return files.from_files(path, format_name, naming)


def _from_numpy(path: Path, naming: Naming) -> Source:
    try:
        # Rows of a .npy file are read as they are needed; an archive's arrays are held in memory.
        content = np.load(path, mmap_mode="r" if path.suffix == ".npy" else None, allow_pickle=False)
        archive = {name: content[name] for name in content.files} if path.suffix == ".npz" else None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ConvertError(f"{path}: not a readable NumPy file (pickled objects are not allowed): {error}") from error
    if archive is not None:
        return from_arrays(archive, naming)
    if content.dtype.names:
        return from_arrays({name: content[name] for name in content.dtype.names}, naming)
    return from_arrays({naming.input_column: content}, naming)


def _from_function(name: str, options: Mapping[str, Any], naming: Naming) -> Source:
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"SOURCE: {name} cannot be imported ({error}); allowed: {FORMS}") from error
    try:
        given = function(**options)
    except Exception as error:
        raise SourceFailed(f"{name} raised {type(error).__name__}: {error}") from error
    return _from_object(given, naming)


def _from_object(given: Any, naming: Naming) -> Source:
    if _is_a("pandas", "DataFrame", given):
        return frames.from_frame(given, naming)
    if isinstance(given, Mapping):
        return from_arrays(given, naming)
    if _is_a("torch.utils.data", "Dataset", given):
        return datasets.from_dataset(given, naming)
    if hasattr(given, "__len__") and hasattr(given, "__getitem__"):
        return from_items(given, naming)
    if isinstance(given, Iterable):
        return from_rows(given, naming)
    raise ConvertError(
        f"SOURCE: found {type(given).__name__}, allowed: a DataFrame, a torch Dataset, "
        "a mapping of names to arrays, or rows (mappings, or pairs of input and target)"
    )


def _is_a(module_name: str, class_name: str, given: Any) -> bool:
    """Tell without importing the module: who made the object has imported it."""
    module = sys.modules.get(module_name)
    return module is not None and isinstance(given, getattr(module, class_name))
