"""Which columns can become tensors as they are stored, and what to do about those that cannot.

Only for columns that no hook can make anything of before: a hook gets every type there is.
"""

from __future__ import annotations

import pyarrow as pa

from trainingrun_trainer.data.nested_lists import is_list_of_numbers, value_type

_HOOKS = "in a transform on the data group, or with a collate hook"
_TEXT = f"encode it as numbers {_HOOKS}; classes are whole numbers from 0"


def refusal(kind: pa.DataType) -> str | None:
    """Why no tensor can be made of a column of this type, and what can be done; None where one can.

    Array columns are not asked for: they can. Lists of numbers that get here are no arrays.
    """
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return None
    return f"is {kind}, of which no tensor can be made; {_way_out(kind)}"


def _way_out(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _TEXT
    if pa.types.is_null(kind):
        return "it has no value in any row"
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return f"make numbers of it, such as float64, {_HOOKS}"
    if pa.types.is_struct(kind):
        return f"take the fields that are needed out of it {_HOOKS}"
    if is_list_of_numbers(kind):
        return f"its rows differ in length: pad or cut them {_HOOKS}"
    if pa.types.is_nested(kind):
        inner = value_type(kind)
        return _TEXT if pa.types.is_string(inner) or pa.types.is_large_string(inner) else f"make numbers of it {_HOOKS}"
    return f"decode it {_HOOKS}"
