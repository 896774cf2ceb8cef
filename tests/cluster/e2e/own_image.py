"""The image of a user's own code: the training image, and the four lines of docs/install.md as they stand there.

The code is a script in this folder, and the transform that docs/hooks.md shows as one written for a notebook.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from base_image import build_options
from container_tool import ContainerTool, step
from nodes import DATA_NODE, TRAINER_NODE, LoadedImage, load
from project_images import TRAINER, named_by_content

# What the sample calls it.
IMAGE = "registry.example/my-training:0.1.0"
_CODE = Path(__file__).parent / "own_code"
_DOCUMENTS = Path(__file__).parents[3] / "docs"
_REPOSITORY = "localhost/trainingrun/my-training"
_BUILT_TRAINER = "localhost/trainingrun/trainingrun-trainer:latest"


def load_own_image(tool: ContainerTool) -> None:
    """Build it and bring it to the nodes."""
    with step(f"  {IMAGE}"), tempfile.TemporaryDirectory(prefix="trainingrun-own-") as folder:
        context = Path(folder)
        shutil.copytree(_CODE, context, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        (context / "my_training" / "transforms.py").write_text(_block("hooks.md", "python", "transform_images"))
        (context / "Dockerfile").write_text(_block("install.md", "dockerfile", "my_training"))
        # Under the name that the lines begin with, which stands for a registry's.
        tool.run("tag", _BUILT_TRAINER, TRAINER)
        try:
            tool.run("build", *build_options(tool), "--tag", f"{_REPOSITORY}:latest", folder)
        finally:
            tool.run("rmi", TRAINER)
    load(tool, {LoadedImage(named_by_content(tool, _REPOSITORY), IMAGE): (DATA_NODE, TRAINER_NODE)})


def _block(document: str, language: str, word: str) -> str:
    """The one block of a page that has a word in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (_DOCUMENTS / document).read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found)
