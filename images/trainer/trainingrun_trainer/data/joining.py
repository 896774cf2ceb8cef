"""Puts tables of one dataset together, and says how they differ where they cannot be: by column and type."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from trainingrun_trainer.failures.errors import DataError


def joined(parts: Sequence[pa.Table]) -> pa.Table:
    """The rows of `parts`, at least one, in their order; a column without any value in one of them is no difference.

    Raises DataError.
    """
    if len(parts) == 1:
        return parts[0]
    try:
        return pa.concat_tables(parts, promote_options="default")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        first, second = next((a, b) for a in parts for b in parts if not a.schema.equals(b.schema))
        raise DataError(f"blocks of one dataset differ: {_difference(first.schema, second.schema)}") from None


def _difference(first: pa.Schema, second: pa.Schema) -> str:
    for field in first:
        place = second.get_field_index(field.name)
        if place >= 0 and second.field(place).type != field.type:
            return f'column "{field.name}" is {field.type} in one and {second.field(place).type} in another'
    return f"one has the columns {', '.join(first.names)}, another {', '.join(second.names)}"
