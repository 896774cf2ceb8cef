"""The types of columns in files that name none: CSV and JSON lines.

A type is what all values of all files fit, as pandas has it for a whole file: a fraction in the last line makes a
column fractions everywhere. Files are looked through for that before anything is started, up to a bound; what comes
after it must fit, or ends the run by name. Nothing is guessed of dates: text is text unless the run names a type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

_TYPE = re.compile(r"list<(.+)>")
_BOOLEANS = ("true", "True", "TRUE", "false", "False", "FALSE")
_LARGEST_INT64 = 2**63 - 1


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type that a run's schema names, such as `int64` or `list<float32>`."""
    inner = _TYPE.fullmatch(text)
    if inner:
        return pa.list_(arrow_type(inner.group(1)))
    return {"timestamp": pa.timestamp("us"), "bool": pa.bool_()}.get(text) or pa.type_for_alias(text)


@dataclass
class SeenValues:
    """What the values of one CSV column have been so far, as texts; null where the field was empty."""

    kinds: set[str] = field(default_factory=set)

    def add(self, values: pa.Array) -> None:
        """Take note of more values, of type string."""
        if values.null_count:
            self.kinds.add("null")
        if "text" in self.kinds or values.null_count == len(values):
            return
        if "fraction" not in self.kinds and (whole := _whole_numbers(values)):
            self.kinds.update(whole)
        elif _fits(pc.ascii_trim_whitespace(values), pa.float64()):
            self.kinds.add("fraction")
        elif pc.all(pc.is_in(values, pa.array([*_BOOLEANS, None]))).as_py():
            self.kinds.add("bool")
        else:
            self.kinds.add("text")

    def type(self, *, is_whole: bool) -> pa.DataType:
        """The type that holds all of them: int64, uint64, float64, bool or string.

        Without any it is null, unless `is_whole` says that there may be more: those are read as text.
        """
        kinds = self.kinds - {"null"}
        if not kinds:
            return pa.null() if is_whole else pa.string()
        if kinds == {"bool"}:
            return pa.bool_()
        if "text" in kinds or "bool" in kinds:
            return pa.string()
        if "fraction" in kinds:
            return pa.float64()
        if "huge" in kinds or {"large", "negative"} <= kinds:
            return pa.string()  # no type of numbers holds all of them to the last digit
        if "null" in self.kinds:
            return pa.float64()  # as pandas has it: NaN is the one number that stands for no value
        return pa.uint64() if "large" in kinds else pa.int64()


def normal(kind: pa.DataType) -> pa.DataType:
    """A type that Arrow inferred from JSON without what it guessed: a text that looks like a date is a text."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(normal(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([child.with_type(normal(child.type)) for child in kind])
    return kind


def with_declared(schema: pa.Schema, declared: Mapping[str, str]) -> pa.Schema:
    """The schema with the types that the run gives."""
    return pa.schema([f.with_type(arrow_type(declared[f.name])) if f.name in declared else f for f in schema])


def _whole_numbers(values: pa.Array) -> set[str]:
    """What kinds of whole numbers these are; none where one is no such number."""
    trimmed = pc.ascii_trim_whitespace(values)
    # Arrow would take 0x10 for 16, which nobody else does.
    if _fits(trimmed, pa.int64()) and not pc.any(pc.match_substring(trimmed, "x", ignore_case=True)).as_py():
        return {"negative" if pc.min(trimmed.cast(pa.int64())).as_py() < 0 else "whole"}
    if not pc.all(pc.match_substring_regex(trimmed, r"^-?[0-9]+$")).as_py():
        return set()
    numbers = [int(value) for value in trimmed.to_pylist() if value is not None]
    is_huge = min(numbers) < -_LARGEST_INT64 - 1 or max(numbers) >= 2**64
    return {"negative" if min(numbers) < 0 else "whole", "huge" if is_huge else "large"}


def _fits(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
