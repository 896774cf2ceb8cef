"""The Dockerfiles build anywhere, install only what is locked, and agree with the manifests on user and command."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rendered_runs import SETTINGS, run_object
from rendering import ROOT, Manifests, operator_pod

from trainingrun.render import ray_job

IMAGES = {"operator": "65532:65532", "trainer": "1000:1000"}
_LABELS = {"title", "description", "licenses", "version", "revision"}


@dataclass(frozen=True)
class Dockerfile:
    """The instructions of an image, each as its word and the rest of its line."""

    name: str
    instructions: list[tuple[str, str]]

    def all(self, word: str) -> list[str]:
        return [rest for found, rest in self.instructions if found == word]

    def last(self, word: str) -> str:
        return self.all(word)[-1]

    def copied(self) -> Iterator[str]:
        """What is copied out of the repository."""
        for line in self.all("COPY"):
            if not line.startswith("--from="):
                yield line.split()[0]


@pytest.fixture(params=IMAGES)
def dockerfile(request: pytest.FixtureRequest) -> Dockerfile:
    text = (ROOT / "images" / request.param / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines()]
    return Dockerfile(request.param, [(word, rest) for word, rest in pairs])


def test_every_stage_starts_from_the_image_that_is_given(dockerfile: Dockerfile) -> None:
    bases = {"${BASE_IMAGE}"}
    for line in dockerfile.all("FROM"):
        base, _, name = line.partition(" AS ")
        assert base in bases
        bases.add(name)
    assert dockerfile.all("ARG")[0].startswith("BASE_IMAGE=docker.io/library/python:3.11-slim")


def test_packages_are_those_of_the_lock_file_and_checked_against_its_hashes(dockerfile: Dockerfile) -> None:
    installs = [line for line in dockerfile.all("RUN") if "pip install" in line]
    assert len(installs) == 1
    assert f"--require-hashes -r /tmp/{dockerfile.name}.txt" in installs[0]
    assert any(f"requirements/{dockerfile.name}.txt " in line for line in dockerfile.all("COPY"))
    assert "--hash=sha256:" in (ROOT / "requirements" / f"{dockerfile.name}.txt").read_text()


def test_what_is_copied_is_there_and_reaches_the_build(dockerfile: Dockerfile) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = list(dockerfile.copied())
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert any(fnmatch.fnmatch(path, f"{pattern}*") for pattern in let_in), path


def test_the_image_says_what_it_is(dockerfile: Dockerfile) -> None:
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", dockerfile.last("LABEL")))
    assert labels == _LABELS
    assert f'title="trainingrun-{dockerfile.name}"' in dockerfile.last("LABEL")


def test_it_runs_as_the_user_of_the_manifests(dockerfile: Dockerfile, manifests: Manifests) -> None:
    assert dockerfile.last("USER") == IMAGES[dockerfile.name]
    job = ray_job(run_object(), 0, SETTINGS)["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]
    pod = operator_pod(manifests.chart()) if dockerfile.name == "operator" else job
    security = pod["spec"]["securityContext"]
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == IMAGES[dockerfile.name]


def test_the_operator_needs_no_shell_and_takes_the_arguments_of_its_pod(manifests: Manifests) -> None:
    text = (ROOT / "images" / "operator" / "Dockerfile").read_text()
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    (command,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    pod = operator_pod(manifests.chart())["spec"]
    assert json.loads(entrypoint) == ["python", "-m", "trainingrun"]
    assert json.loads(command) == pod["containers"][0]["args"]
    assert pod["initContainers"][0]["command"][:2] == json.loads(entrypoint)[:2]
    final = text[text.rindex("FROM ") :]
    assert "RUN" not in final


def test_the_training_image_runs_the_entrypoint_of_runs() -> None:
    text = (ROOT / "images" / "trainer" / "Dockerfile").read_text()
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    job = ray_job(run_object(), 0, SETTINGS)
    assert " ".join(json.loads(entrypoint)) == job["spec"]["entrypoint"]
