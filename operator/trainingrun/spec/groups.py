"""The nodes of a run: the trainer group, the data group and the head, with their resources.

It must say nothing about what they compute: recipe.py does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, Strict, field_validator

from trainingrun.errors import Problem
from trainingrun.spec.accelerators import GPU_WORDS, is_gpu, is_part_of_gpu, is_unusable
from trainingrun.spec.environment import Environment
from trainingrun.spec.model import RESOURCE_KEYS, Model, text
from trainingrun.spec.paths import join_path
from trainingrun.spec.quantity import Quantity
from trainingrun.spec.volumes import VolumeMounts

MAX_NODES = 1000
MAX_PROCESSES = 64

# Whole as written: neither fractions nor the suffixes and exponents that can make one.
DEVICE_PATTERN = r"^[0-9]+([kMGTPE]|[KMGTPE]i)?$"

DEVICE_WORDS = "a whole number in digits, as devices cannot be shared"

_DEVICE_COUNT = re.compile(DEVICE_PATTERN[1:-1])

ResourceList = Annotated[dict[str, Quantity], Field(max_length=32), AfterValidator(RESOURCE_KEYS)]
Words = Annotated[tuple[Annotated[str, text(32_768, min_length=0)], ...], Strict(False), Field(max_length=256)]


# Of what has no domain in its name, all that a container can be given; huge pages by their size.
STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")
HUGE_PAGES = "hugepages-"
# Of a quota; no resource's name begins with it.
QUOTA_PREFIX = "requests."


def is_device(resource: str) -> bool:
    """Whether the resource is one that a device plugin gives, whole."""
    return "/" in resource


def _is_known(resource: str) -> bool:
    """Whether a container can be given it at all."""
    if is_device(resource):
        return not resource.startswith(QUOTA_PREFIX)
    return resource in STANDARD_RESOURCES or resource.startswith(HUGE_PAGES)


class Resources(Model):
    """What each pod of a group gets. Limits for cpu and memory default to the group's own."""

    default_limits: ClassVar[dict[str, Quantity]] = {"cpu": Quantity("4"), "memory": Quantity("16Gi")}

    limits: ResourceList = Field(
        default={},
        description=(
            "The most that a pod may use: cpu (cores), memory (bytes), devices (whole numbers); at most 32 resources. "
            f"GPUs are {GPU_WORDS}; no other accelerators. cpu and memory default to 4 and 16Gi."
        ),
        validate_default=True,
    )
    requests: ResourceList = Field(
        default={},
        description="What a pod reserves, at most the limits; at most 32 resources. Default: the limits.",
    )

    @field_validator("limits", mode="after")
    @classmethod
    def _complete(cls, limits: dict[str, Quantity]) -> dict[str, Quantity]:
        return {**cls.default_limits, **limits}

    @property
    def gpus(self) -> int:
        """GPUs of each pod, of whichever maker, whole or in part."""
        return sum(self.limits[name].bytes for name in self.gpu_names)

    @property
    def gpu_names(self) -> list[str]:
        """The resources that are GPUs: of a valid group at most one."""
        return [name for name in self.limits if is_gpu(name)]

    def broken_rules(self) -> Iterable[Problem]:
        """Amounts that Kubernetes would refuse, and accelerators that training could not use."""
        for name in ("cpu", "memory"):
            if self.limits[name].value <= 0:
                yield Problem(join_path(("limits", name)), str(self.limits[name]), "more than 0")
        for field, amounts in (("limits", self.limits), ("requests", self.requests)):
            for name, amount in amounts.items():
                path = join_path((field, name))
                if not _is_known(name):
                    allowed = f"{', '.join(STANDARD_RESOURCES)}, {HUGE_PAGES}SIZE, or a device such as nvidia.com/gpu"
                    yield Problem(path, "a name that is no resource of a container", allowed)
                elif amount.value < 0:
                    yield Problem(path, str(amount), "0 or more")
                elif is_device(name) and not _DEVICE_COUNT.fullmatch(amount.text):
                    yield Problem(path, str(amount), DEVICE_WORDS)
        yield from self._broken_requests()
        yield from self._broken_accelerators()

    def _broken_accelerators(self) -> Iterable[Problem]:
        for name, amount in self.limits.items():
            path = join_path(("limits", name))
            if is_unusable(name):
                yield Problem(path, "an accelerator that training cannot use or count", f"GPUs as {GPU_WORDS}")
            elif is_part_of_gpu(name) and amount.value > 1:
                yield Problem(path, str(amount), "at most 1, as a process can use only one part of a GPU")
        if len(self.gpu_names) > 1:
            yield Problem("limits", " and ".join(self.gpu_names), "one kind of GPU")

    def _broken_requests(self) -> Iterable[Problem]:
        for name, amount in self.requests.items():
            limit = self.limits.get(name)
            path = join_path(("requests", name))
            if limit is not None and amount > limit:
                yield Problem(path, str(amount), f"at most the limit, which is {limit}")
            elif (is_device(name) or name.startswith(HUGE_PAGES)) and amount != limit:
                yield Problem(path, str(amount), f"the same as in limits, which is {limit or 'not given'}")


class HeadResources(Resources):
    """What the head's pod gets."""

    default_limits: ClassVar[dict[str, Quantity]] = {"cpu": Quantity("2"), "memory": Quantity("8Gi")}

    limits: ResourceList = Field(
        default={},
        description=(
            "The most that the pod may use: cpu (cores) and memory (bytes), at most 32 resources. "
            "cpu and memory default to 2 and 8Gi."
        ),
        validate_default=True,
    )

    def broken_rules(self) -> Iterable[Problem]:
        """No GPU, since nothing is trained here."""
        yield from super().broken_rules()
        for name in self.gpu_names:
            if self.limits[name].value:
                yield Problem(join_path(("limits", name)), str(self.limits[name]), "no GPU, as nothing trains here")


class Trainer(Model):
    """The GPU worker group, where the model trains."""

    command: Words = Field(
        default=(),
        description="Your own entrypoint instead of a recipe: at most 256 strings of at most 32,768 characters.",
    )
    args: Words = Field(
        default=(),
        description="Arguments for command: at most 256 of at most 32,768 characters.",
    )
    env: Environment = Field(
        default=(), description="Environment variables of the group's pods, at most 256; they override spec.env."
    )
    volume_mounts: VolumeMounts = Field(
        default=(), description="Mounts of the group's pods, at most 32, in addition to spec.volumeMounts."
    )
    num_nodes: int = Field(default=1, ge=1, le=MAX_NODES, description="Pods in the group, 1 to 1000.")
    num_proc_per_node: int | None = Field(
        default=None,
        ge=1,
        le=MAX_PROCESSES,
        description="Training processes per pod, 1 to 64; with GPUs, one for each. Default: its GPUs, else 1.",
    )
    resources_per_node: Resources = Field(default=Resources(), description="What each pod gets.")

    def broken_rules(self) -> Iterable[Problem]:
        """Args need a command; every process gets as many GPUs as the others, and none is left over."""
        if self.args and not self.command:
            yield Problem("args", "args without command", "args only together with command")
        gpus = self.resources_per_node.gpus
        processes = self.num_proc_per_node
        if gpus and processes and gpus % processes:
            yield Problem("numProcPerNode", str(processes), f"a number that divides the GPUs, which are {gpus}")
        if gpus > MAX_PROCESSES:
            yield Problem("resourcesPerNode.limits", f"{gpus} GPUs", f"at most {MAX_PROCESSES}")

    @property
    def processes_per_node(self) -> int:
        """Training processes on each node, with the default worked out."""
        return self.num_proc_per_node or self.resources_per_node.gpus or 1

    @property
    def num_processes(self) -> int:
        """Training processes of the run: Ray Train's number of workers."""
        return self.num_nodes * self.processes_per_node


class Data(Model):
    """The CPU worker group, where rows are read and preprocessed."""

    env: Environment = Field(
        default=(), description="Environment variables of the group's pods, at most 256; they override spec.env."
    )
    volume_mounts: VolumeMounts = Field(
        default=(), description="Mounts of the group's pods, at most 32, in addition to spec.volumeMounts."
    )
    num_nodes: int = Field(default=1, ge=1, le=MAX_NODES, description="Pods at the start, and the minimum, 1 to 1000.")
    max_nodes: int | None = Field(
        default=None,
        ge=1,
        le=MAX_NODES,
        description="Pods that the group may grow to, numNodes to 1000; a fixed size if not given.",
    )
    target_stall_percentage: int = Field(
        default=5,
        ge=1,
        le=90,
        description="Share of their time that trainers may wait for data before the group grows, in percent, 1 to 90.",
    )
    resources_per_node: Resources = Field(default=Resources(), description="What each pod gets.")

    def broken_rules(self) -> Iterable[Problem]:
        """A group cannot shrink below its start."""
        if self.max_nodes is not None and self.max_nodes < self.num_nodes:
            yield Problem("maxNodes", str(self.max_nodes), f"at least numNodes, which is {self.num_nodes}")


class Head(Model):
    """The coordinating pod; no tasks of the run are placed on it."""

    resources: HeadResources = Field(default=HeadResources(), description="What the pod gets.")
