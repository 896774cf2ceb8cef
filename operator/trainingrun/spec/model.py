"""What every part of the API has in common: strict, closed, immutable models and the words for text fields.

It must hold no field of the API itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from trainingrun.errors import Problem
from trainingrun.spec.paths import join_path

BROKEN_RULES = "broken_rules"
MAX_PARAMETERS = 64


def rules_error(problems: Iterable[Problem]) -> PydanticCustomError:
    """The problems (paths relative to the value being validated) as an error that pydantic carries."""
    return PydanticCustomError(BROKEN_RULES, "rules are broken", {"problems": tuple(problems)})


class Model(BaseModel):
    """A part of the API: camelCase in documents, no unknown fields, no coercion between types, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """The same object, since it never changes. Otherwise every run would have its own copies of all defaults."""
        return self

    def broken_rules(self) -> Iterable[Problem]:
        """Rules between this model's own fields that do not hold; paths are relative to the model."""
        return ()

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        """Treat a null field as not given, as the API server does. Unknown fields stay."""
        if not isinstance(data, dict) or None not in data.values():
            return data
        known = {field.alias for field in cls.model_fields.values()}
        return {key: value for key, value in data.items() if value is not None or key not in known}

    @model_validator(mode="after")
    def _check_rules(self) -> Model:
        problems = tuple(self.broken_rules())
        if problems:
            raise rules_error(problems)
        return self


PATTERN_WORDS: dict[str, str] = {}


def text(max_length: int, *, pattern: str = r"^[^\x00]*$", words: str = "", min_length: int = 1) -> StringConstraints:
    """Bounds for a text field. `words` tell a user what `pattern` tells a machine, the same wherever it is used."""
    if PATTERN_WORDS.setdefault(pattern, words) != words:
        raise ValueError(f"{pattern} is told as {PATTERN_WORDS[pattern]!r} elsewhere, not {words!r}")
    return StringConstraints(strict=True, min_length=min_length, max_length=max_length, pattern=pattern)


# Of a run's name, and of the keys of labels, node labels and resources; to be matched as a whole.
LABEL_PATTERN = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_DNS = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
KEY_PATTERN = rf"({_DNS}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
KEY_LENGTH = 317
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"

LabelName = Annotated[
    str, text(63, pattern=f"^{LABEL_PATTERN}$", words="lower-case letters, digits and '-', starting with a letter")
]
DnsLabel = Annotated[
    str,
    text(
        63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        words="lower-case letters, digits and '-', starting and ending with a letter or digit",
    ),
]
Key = Annotated[
    str,
    text(KEY_LENGTH, pattern=f"^{KEY_PATTERN}$", words="a key such as nvidia.com/gpu or kubernetes.io/arch"),
]
UriOrPath = Annotated[
    str,
    text(
        2048,
        pattern=r"^(/|[A-Za-z][A-Za-z0-9+.-]*://)[^\x00-\x1f\x7f]+$",
        words="a URI, as in s3://bucket/folder/file, or an absolute path",
    ),
]
ObjectName = Annotated[str, text(253, pattern=f"^{_DNS}$", words="lower-case letters, digits, '-' and '.'")]
DataKey = Annotated[str, text(253, pattern=r"^[-._a-zA-Z0-9]+$", words="letters, digits, '-', '_' and '.'")]
FunctionReference = Annotated[
    str,
    text(
        253,
        pattern=rf"^{_IDENTIFIER}(\.{_IDENTIFIER})*:{_IDENTIFIER}(\.{_IDENTIFIER})*$",
        words="written module:function, as in torch.optim:Adam",
    ),
]
LabelValue = Annotated[
    str,
    text(
        63,
        min_length=0,
        pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        words="letters, digits, '-', '_' and '.', starting and ending with a letter or digit",
    ),
]

Value = TypeVar("Value")


def keys_match(pattern: str, max_length: int, words: str) -> Callable[[dict[str, Value]], dict[str, Value]]:
    """A check of a map's keys. It is no part of the schema: Kubernetes' schemas cannot bound keys."""
    expression = re.compile(pattern)

    def check(value: dict[str, Value]) -> dict[str, Value]:
        wrong = [key for key in value if len(key) > max_length or not expression.fullmatch(key)]
        if wrong:
            raise rules_error(Problem(join_path((key,)), "this key", f"keys of {words}") for key in wrong[:10])
        return value

    return check


LABEL_KEYS = keys_match(KEY_PATTERN, KEY_LENGTH, "at most 317 characters, as in Kubernetes' labels")
RESOURCE_KEYS = keys_match(KEY_PATTERN, KEY_LENGTH, "resource names, as in cpu or nvidia.com/gpu")
PARAMETER_KEYS = keys_match(_IDENTIFIER, 128, "letters, digits and '_', as in Python's arguments")

Labels = Annotated[
    dict[str, LabelValue],
    Field(max_length=64),
    AfterValidator(LABEL_KEYS),
]
Parameters = Annotated[
    dict[str, JsonValue],
    Field(max_length=MAX_PARAMETERS),
    AfterValidator(PARAMETER_KEYS),
]
