"""The parts of a run for Python: the models of the spec, filled in with Python's names.

They hold no fields of their own. A mistake is told as in a file: by the field's path, what was found, what is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from trainingrun.errors import InvalidSpec
from trainingrun.spec import dataset, groups, recipe, storage, transforms
from trainingrun.spec.function import Function as _Function
from trainingrun.spec.parse import problems_of
from trainingrun.spec.plain import Steps

__all__ = [
    "BestCheckpoint",
    "Checkpoints",
    "Data",
    "Dataset",
    "EarlyStopping",
    "Function",
    "Head",
    "Metric",
    "PersistentVolumeClaim",
    "Recipe",
    "Resources",
    "Scheduler",
    "Source",
    "Storage",
    "Trainer",
    "Transform",
]


class _Part(BaseModel):
    """Fields by Python's names (`num_nodes`), as keywords; None is as good as not given."""

    model_config = ConfigDict(validate_by_name=True)
    # Where in a document such a part is, or one of them: for the paths of problems.
    part_path: ClassVar[Steps] = ()

    if not TYPE_CHECKING:  # A signature of its own would hide the fields from type checkers.

        def __init__(self, /, **fields: Any) -> None:
            # By the document's names, which are those of problems.
            known = {name: field.alias for name, field in type(self).model_fields.items()}
            given = {known.get(name) or name: value for name, value in fields.items() if value is not None}
            try:
                super().__init__(**given)
            except ValidationError as error:
                raise InvalidSpec(problems_of(error, place=self.part_path)) from None


class _Call(_Part):
    """What a recipe calls: `module:function` first, its arguments as `parameters`."""

    if not TYPE_CHECKING:

        def __init__(self, function: str, /, **fields: Any) -> None:
            super().__init__(function=function, **fields)


class Function(_Part, _Function):
    """A Python function or class: `Function("torch.optim:Adam", lr=0.001)`."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "model")

    def __init__(self, function: str, /, **parameters: JsonValue) -> None:
        super().__init__(function=function, parameters=parameters)


class Scheduler(_Call, recipe.Scheduler):
    """A learning-rate scheduler: `Scheduler("torch.optim.lr_scheduler:StepLR", parameters={"step_size": 5})`."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "scheduler")


class Metric(_Call, recipe.MetricFunction):
    """A metric: `Metric("mine:accuracy", name="accuracy")`."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "metrics", 0)


class Transform(_Call, transforms.Transform):
    """A step of preprocessing: `Transform("mine:normalize", kind="Batch")`."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "transforms", 0)


class Source(_Part, dataset.Source):
    """Where rows are read from: `Source(format="Parquet", path="s3://bucket/train")`."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "dataset", "train")


class Dataset(_Part, dataset.Dataset):
    """The rows to train on, and how they are fed."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "dataset")


class EarlyStopping(_Part, recipe.EarlyStopping):
    """Ends training when a metric has stopped getting better."""

    part_path: ClassVar[Steps] = ("spec", "recipe", "earlyStopping")


class Recipe(_Part, recipe.Recipe):
    """What the built-in loop trains."""

    part_path: ClassVar[Steps] = ("spec", "recipe")


class Resources(_Part, groups.Resources):
    """What each pod of a group gets: `Resources(limits={"cpu": 4, "memory": "16Gi", "nvidia.com/gpu": 1})`."""

    part_path: ClassVar[Steps] = ("spec", "trainer", "resourcesPerNode")


class Trainer(_Part, groups.Trainer):
    """The GPU worker group, where the model trains."""

    part_path: ClassVar[Steps] = ("spec", "trainer")


class Data(_Part, groups.Data):
    """The CPU worker group, where rows are read and preprocessed."""

    part_path: ClassVar[Steps] = ("spec", "data")


class Head(_Part, groups.Head):
    """The coordinating pod."""

    part_path: ClassVar[Steps] = ("spec", "head")


class PersistentVolumeClaim(_Part, storage.PersistentVolumeClaim):
    """A claim that every pod can mount."""

    part_path: ClassVar[Steps] = ("spec", "storage", "persistentVolumeClaim")


class BestCheckpoint(_Part, storage.BestCheckpoint):
    """Which checkpoint counts as the best."""

    part_path: ClassVar[Steps] = ("spec", "storage", "checkpoints", "best")


class Checkpoints(_Part, storage.Checkpoints):
    """When checkpoints are written and which are kept."""

    part_path: ClassVar[Steps] = ("spec", "storage", "checkpoints")


class Storage(_Part, storage.Storage):
    """Where checkpoints and results go: `Storage(uri="s3://bucket/runs")`."""

    part_path: ClassVar[Steps] = ("spec", "storage")
