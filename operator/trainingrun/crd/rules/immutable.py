"""What may not change after creation: everything but `suspend`.

One rule per field, so that an error names the field. Each is on `spec`, where it also sees a field come or go:
a rule on the field itself is not asked then.
"""

from __future__ import annotations

from collections.abc import Iterator

from trainingrun.crd.rules.rule import Rule
from trainingrun.spec.run import RunSpec

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
                f"`{name}` may not be changed after creation; create a TrainingRun with another name instead",
                field=name,
            )
