"""What all fields of `status` have in common: their model, and the kinds of numbers, times and texts in them.

It must hold no field of the API itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from trainingrun.status.json_values import YEARS

MAX_COUNT = 1_000_000_000


def _usable(time: datetime) -> datetime:
    """Refuse times that arithmetic could push beyond the calendar; the API has whole seconds."""
    if time.year not in YEARS:
        raise ValueError(f"a year from {YEARS[0]} to {YEARS[-1]}")
    return time.astimezone(UTC).replace(microsecond=0)


Time = Annotated[AwareDatetime, AfterValidator(_usable)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Text = Annotated[str, Field(max_length=1024)]


class StatusModel(BaseModel):
    """A part of status: camelCase in JSON; fields of other versions are left out when it is read."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, validate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without what is not known."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
