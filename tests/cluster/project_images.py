"""The project's own images for the cluster: the operator's and the trainer's, built from their Dockerfiles."""

from __future__ import annotations

import sys
from pathlib import Path

from base_image import build_options
from container_tool import ContainerTool, step
from nodes import LoadedImage

_ROOT = Path(__file__).parents[2]
# What the samples and the chart call them.
OPERATOR = "registry.example/trainingrun-operator:0.1.0"
TRAINER = "registry.example/trainingrun-trainer:0.1.0"
_DOCKERFILES = {OPERATOR: "images/operator/Dockerfile", TRAINER: "images/trainer/Dockerfile"}
# The GPUs of the cluster do not exist.
_OPTIONS = {OPERATOR: [], TRAINER: ["--build-arg=CUDA=no"]}


def project_images(tool: ContainerTool, base: str | None) -> list[LoadedImage]:
    """Build both; layers that have not changed are reused. `base` replaces the Dockerfiles' own base image."""
    arguments = [f"--build-arg=BASE_IMAGE={base}", *build_options(tool)] if base else []
    return [_build(tool, name, dockerfile, [*arguments, *_OPTIONS[name]]) for name, dockerfile in _DOCKERFILES.items()]


def _build(tool: ContainerTool, name: str, dockerfile: str, arguments: list[str]) -> LoadedImage:
    repository = f"localhost/trainingrun/{name.partition('/')[2].partition(':')[0]}"
    with step(dockerfile):
        tool.run("build", *arguments, "--file", str(_ROOT / dockerfile), "--tag", f"{repository}:latest", str(_ROOT))
    return LoadedImage(named_by_content(tool, repository), name)


def named_by_content(tool: ContainerTool, repository: str) -> str:
    """Name the newest image of a repository by its content, so that a node that has the name has the image."""
    identity = tool.run("image", "inspect", "--format={{.Id}}", f"{repository}:latest").strip().removeprefix("sha256:")
    name = f"{repository}:{identity[:12]}"
    tool.run("tag", f"{repository}:latest", name)
    return name


def remove_older(tool: ContainerTool) -> None:
    """Remove what was built of earlier code, which nothing else would; layers of the newest images stay.

    So does, until next time, what a build that was interrupted still uses.
    """
    shape = "--format={{.Repository}} {{.Tag}} {{.ID}}"
    images = [
        line.split() for line in tool.run("images", shape, "--filter=reference=localhost/trainingrun/*").splitlines()
    ]
    newest = {repository: identity for repository, tag, identity in images if tag == "latest"}
    for repository, tag, identity in images:
        image = f"{repository}:{tag}"
        if identity != newest.get(repository, identity) and not tool.succeeds("rmi", image):
            print(f"{image} is still used and stays", file=sys.stderr)
