"""Folders of pictures, one folder per class, as torchvision's ImageFolder reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PIL import Image

from trainingrun_trainer.convert.errors import ConvertError
from trainingrun_trainer.convert.images import picture_array
from trainingrun_trainer.convert.sources import Indexed, Naming, from_items

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})
SPLITS = frozenset({"train", "test", "val", "valid", "validation"})


class ClassFolders:
    """The pictures below a folder, by class and name; the label is the class's place in the alphabet."""

    def __init__(self, folder: Path, naming: Naming):
        self.classes = tuple(sorted(entry.name for entry in _subfolders(folder)))
        self._naming = naming
        self._files: list[tuple[str, int]] = []
        for label, name in enumerate(self.classes):
            files = _pictures(folder / name)
            if not files:
                endings = ", ".join(sorted(EXTENSIONS))
                raise ConvertError(f"{folder / name}: found no images, allowed: files that end in {endings}")
            self._files += [(file, label) for file in files]
        if not self._files:
            raise ConvertError(f"{folder}: found no folders, expected one folder of images for every class")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        file, label = self._files[index]
        try:
            with Image.open(file) as picture:
                return picture_array(picture, self._naming.pictures), label
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ConvertError(f"{file}: not a readable image: {error}") from error

    def where(self, index: int) -> str:
        """Name a row by its file."""
        return self._files[index][0]


def from_folder(folder: Path, split: str, naming: Naming) -> Indexed:
    """Return the pictures of a folder of class folders, or of its folder `split` where it has splits."""
    if not folder.is_dir():
        raise ConvertError(f"{folder}: no such folder")
    found = {entry.name for entry in _subfolders(folder)}
    if found and found <= SPLITS:
        if split not in found:
            raise ConvertError(f"{folder}: found the splits {', '.join(sorted(found))}, not {split}")
        folder = folder / split
    # Pictures are made to size while they are decoded, so what follows must not do it again.
    pictures = ClassFolders(folder, naming)
    plain = Naming(naming.input_column, naming.target_column)
    return from_items(pictures, plain, classes=pictures.classes, where=pictures.where)


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _pictures(folder: Path) -> list[str]:
    found = []
    for parent, _, names in os.walk(folder, followlinks=True):
        found += [os.path.join(parent, name) for name in names if Path(name).suffix.lower() in EXTENSIONS]
    return sorted(found)
