"""What mutations need to know of each example: which columns hold numbers, classes or pictures, and what fits them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Names of columns in the files; None where an example has no such column.

    `numbers` is an input of floating point, `ids` one of whole numbers, `picture` one of pixels; `classes` is a target
    of class numbers and `values` one of floating point. `narrow` are the model's parameters for too few outputs.
    """

    numbers: str | None = None
    ids: str | None = None
    picture: str | None = None
    classes: str | None = None
    values: str | None = None
    narrow: dict[str, object] | None = None

    @property
    def inputs(self) -> str:
        """One column of the files that the model gets."""
        return self.numbers or self.picture or self.ids or ""

    @property
    def target(self) -> str | None:
        """The column of the files that the loss compares with."""
        return self.classes or self.values


FACTS = {
    "boxes": Facts(picture="picture"),
    "contrastive": Facts(numbers="left"),
    "forecast": Facts(numbers="window", values="next"),
    "houses": Facts(numbers="area", values="price"),
    "imbalanced": Facts(numbers="features", classes="label", narrow={"in_features": 8, "out_features": 1}),
    "masks": Facts(picture="picture", classes="mask"),
    "multi_label": Facts(numbers="features", values="tags", narrow={"in_features": 12, "out_features": 4}),
    "pictures": Facts(picture="image", classes="label", narrow={"classes": 2}),
    "table": Facts(numbers="income", classes="bought"),
    "tagging": Facts(ids="tokens", classes="tags"),
    "tokens": Facts(ids="input_ids", classes="label", narrow={"vocabulary": 100, "classes": 1}),
    "two_inputs": Facts(numbers="readings", picture="picture", classes="label"),
}
