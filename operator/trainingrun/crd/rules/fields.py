"""The rules between the fields of a run, and those between its parts."""

from __future__ import annotations

from collections.abc import Iterator

from trainingrun.crd.rules.code import CODE_RULES
from trainingrun.crd.rules.pods import POD_RULES
from trainingrun.crd.rules.recipe import RECIPE_RULES
from trainingrun.crd.rules.rule import KEYS, MAY_COME, Rule, amount, exactly_one, given, is_gpu, or_default
from trainingrun.crd.rules.transforms import SOME_STEP_WANTS_GPU, TRANSFORM_RULES
from trainingrun.spec.environment import EnvironmentSource, EnvironmentVariable
from trainingrun.spec.groups import MAX_PROCESSES, Data, Trainer
from trainingrun.spec.initial_checkpoint import CLAIM_SCHEME
from trainingrun.spec.model import LABEL_PATTERN
from trainingrun.spec.patches import PodPatch, Toleration
from trainingrun.spec.policy import FailureRule
from trainingrun.spec.run import Run, RunSpec
from trainingrun.spec.storage import VALIDATION_PREFIX, Storage

# As seen from `trainer`, and from `spec`.
_LIMITS = "self.resourcesPerNode.limits"
_TRAINER_LIMITS = "self.trainer.resourcesPerNode.limits"
_DATA_LIMITS = "self.data.resourcesPerNode.limits"


def _without_limits(limits: str) -> str:
    return f"!({given(limits)})"


def _each_gpu(limits: str, condition: str) -> str:
    """A condition on the one kind of GPU in these limits, if there is one and its number is not 0."""
    gpus = f"!{is_gpu()} || sign({amount(limits)}) == 0 || {condition}"
    return f"{_without_limits(limits)} || {limits}.all(k, {gpus})"


def _divides(processes: str) -> str:
    """That the batch can be shared among so many processes per node."""
    share = f"{or_default('self.trainer.numNodes', 1)} * self.recipe.gradientAccumulationSteps * {processes}"
    return f"self.recipe.globalBatchSize % ({share}) == 0"


_PARTS = (
    Rule(
        Run,
        "run.Metadata",
        f"self.metadata.name.matches('^{LABEL_PATTERN}$')",
        "must be lower-case letters, digits and '-', start with a letter and end with a letter or digit",
        field="metadata.name",
    ),
    Rule(
        EnvironmentVariable,
        "environment.EnvironmentVariable.broken_rules",
        exactly_one("value", "valueFrom"),
        "exactly one of `value` and `valueFrom` must be set",
    ),
    Rule(
        EnvironmentSource,
        "environment.EnvironmentSource.broken_rules",
        exactly_one("secretKeyRef", "configMapKeyRef"),
        "exactly one of `secretKeyRef` and `configMapKeyRef` must be set",
    ),
    Rule(
        Storage,
        "storage.Storage.broken_rules",
        "!has(self.uri) || !has(self.persistentVolumeClaim)",
        "exactly one of `uri` and `persistentVolumeClaim` must be set, or none for that of a runtime",
    ),
    Rule(
        FailureRule,
        "policy.FailureRule.broken_rules",
        exactly_one("onClasses", "onExitCodes"),
        "exactly one of `onClasses` and `onExitCodes` must be set",
    ),
    Rule(
        Toleration,
        "patches.Toleration.broken_rules",
        "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
        "`operator` must be Exists without a `key`",
        field="operator",
    ),
    Rule(
        Toleration,
        "patches.Toleration.broken_rules",
        "!has(self.value) || self.value == '' || !has(self.operator) || self.operator != 'Exists'",
        "`value` may not be set where `operator` is Exists",
        field="value",
    ),
    Rule(
        Toleration,
        "patches.Toleration.broken_rules",
        "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        "`effect` must be NoExecute where `tolerationSeconds` is set",
        field="effect",
    ),
    Rule(
        PodPatch,
        "model.LABEL_KEYS",
        KEYS,
        "keys must be label keys, such as `disk` or `example.com/disk`",
        at="nodeSelector",
    ),
)
_GROUPS = (
    Rule(
        Data,
        "groups.Data.broken_rules",
        f"!has(self.maxNodes) || self.maxNodes >= {or_default('self.numNodes', 1)}",
        "`maxNodes` must be at least `numNodes`",
        field="maxNodes",
    ),
    Rule(
        Trainer,
        "groups.Trainer.broken_rules",
        "!has(self.args) || self.args.size() == 0 || (has(self.command) && self.command.size() > 0)",
        "`args` may only be set together with `command`",
        field="args",
    ),
    Rule(
        Trainer,
        "groups.Trainer.broken_rules",
        "!has(self.numProcPerNode) || "
        + _each_gpu(_LIMITS, f"{amount(_LIMITS)}.asInteger() % self.numProcPerNode == 0"),
        "`numProcPerNode` must divide the number of GPUs of a pod",
        field="numProcPerNode",
    ),
    Rule(
        Trainer,
        "groups.Trainer.broken_rules",
        _each_gpu(_LIMITS, f"{amount(_LIMITS)}.compareTo(quantity('{MAX_PROCESSES}')) <= 0"),
        f"GPUs of a pod must be at most {MAX_PROCESSES}",
        field="resourcesPerNode",
    ),
)
_BATCH_WORDS = (
    "must be a multiple of trainer.numNodes x processes per node x gradientAccumulationSteps; "
    "processes per node are trainer.numProcPerNode, else the number of GPUs of a pod, else 1"
)
_SPEC = (
    *(
        Rule(
            RunSpec,
            "runtime.check_alone",
            f"{MAY_COME} has(self.{name})",
            f"`{name}` must be set, unless a runtime gives it",
            field=name,
        )
        for name in ("image", "storage")
    ),
    Rule(
        RunSpec,
        "storage.Storage.broken_rules",
        f"{MAY_COME} !has(self.storage) || has(self.storage.uri) || has(self.storage.persistentVolumeClaim)",
        "`uri` or `persistentVolumeClaim` must be set, unless a runtime gives one",
        field="storage",
    ),
    Rule(
        RunSpec,
        "rules.one_entrypoint",
        f"has(self.recipe) != ({given('self.trainer.command')} && self.trainer.command.size() > 0)",
        "exactly one of `recipe` and `trainer.command` must be set",
    ),
    Rule(
        RunSpec,
        "rules._batch_size",
        f"""{MAY_COME} !has(self.recipe) || ({given("self.trainer.numProcPerNode")}
            ? {_divides("self.trainer.numProcPerNode")} : {_divides("1")})""",
        _BATCH_WORDS,
        field="recipe.globalBatchSize",
    ),
    Rule(
        RunSpec,
        "rules._batch_size",
        f"""{MAY_COME} !has(self.recipe) || {given("self.trainer.numProcPerNode")} ||
            {_each_gpu(_TRAINER_LIMITS, _divides(f"{amount(_TRAINER_LIMITS)}.asInteger()"))}""",
        _BATCH_WORDS,
        field="recipe.globalBatchSize",
    ),
    Rule(
        RunSpec,
        "rules._precision",
        f"""{MAY_COME} !has(self.recipe) || !has(self.recipe.mixedPrecision) || self.recipe.mixedPrecision != 'FP16'
            || !({_without_limits(_TRAINER_LIMITS)}
            || !{_TRAINER_LIMITS}.exists(k, {is_gpu()} && sign({amount(_TRAINER_LIMITS)}) > 0))""",
        "`FP16` needs a GPU in `trainer.resourcesPerNode.limits`; use `BF16` or none without one",
        field="recipe.mixedPrecision",
    ),
    Rule(
        RunSpec,
        "rules._idle_gpus",
        f"{MAY_COME} !has(self.recipe) || has(self.recipe.loop) || !({given('self.trainer.numProcPerNode')}) || "
        + _each_gpu(_TRAINER_LIMITS, f"{amount(_TRAINER_LIMITS)}.asInteger() <= self.trainer.numProcPerNode"),
        "`numProcPerNode` must be the number of GPUs of a pod; it may be less only with `recipe.loop`",
        field="trainer.numProcPerNode",
    ),
    Rule(
        RunSpec,
        "rules._gpus_for_data",
        f"{MAY_COME} !has(self.recipe) || {SOME_STEP_WANTS_GPU} || {_each_gpu(_DATA_LIMITS, 'false')}",
        "`data` must have no GPU, as no step of `recipe.transforms` asks for one with `resources.gpu`",
        field="data.resourcesPerNode",
    ),
    Rule(
        RunSpec,
        "rules._room_for_steps",
        f"""{MAY_COME} !has(self.recipe) || !({SOME_STEP_WANTS_GPU}) || !({_without_limits(_DATA_LIMITS)}) &&
            {_DATA_LIMITS}.exists(k, {is_gpu()} && sign({amount(_DATA_LIMITS)}) > 0)""",
        "`resources.gpu` of a step needs a GPU in `data.resourcesPerNode.limits`",
        field="recipe",
    ),
    Rule(
        RunSpec,
        "rules._best_metric",
        f"""{MAY_COME} !has(self.recipe) || has(self.recipe.dataset.validation)
            || !({given("self.storage.checkpoints.best")})
            || !self.storage.checkpoints.best.metric.startsWith('{VALIDATION_PREFIX}')""",
        f"a metric `{VALIDATION_PREFIX}...` needs `recipe.dataset.validation`",
        field="storage.checkpoints.best.metric",
    ),
    Rule(
        RunSpec,
        "rules._own_claim",
        f"""{MAY_COME} !({given("self.recipe.initialCheckpoint.uri")})
            || !self.recipe.initialCheckpoint.uri.startsWith('{CLAIM_SCHEME}')
            || {given("self.storage.persistentVolumeClaim")} && self.recipe.initialCheckpoint.uri.startsWith(
            '{CLAIM_SCHEME}' + self.storage.persistentVolumeClaim.claimName + '/')""",
        f"`{CLAIM_SCHEME}` must name the claim of `storage`; another claim is a path below a mount",
        field="recipe.initialCheckpoint.uri",
    ),
)
FIELD_RULES = (*_PARTS, *POD_RULES, *CODE_RULES, *RECIPE_RULES, *TRANSFORM_RULES, *_GROUPS, *_SPEC)


MUTABLE = ("suspend",)


def immutability_rules() -> Iterator[Rule]:
    """A rule for each field that may not change."""
    for field in RunSpec.model_fields.values():
        name = str(field.alias)
        if name not in MUTABLE:
            yield Rule(
                RunSpec,
                "",
                f"""has(self.{name}) == has(oldSelf.{name})
                    && (!has(self.{name}) || self.{name} == oldSelf.{name})""",
                f"`{name}` may not be changed after creation; create a TrainingRun with a different name instead",
                field=name,
            )
