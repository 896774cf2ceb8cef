"""Kubernetes quantities (`500m`, `16Gi`, `1e3`), read as the API server reads them.

It must not know which resource a quantity is of: limits on values belong to the models that hold them.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

QUANTITY_WORDS = "a quantity: a number, then nothing, n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent"
QUANTITY_PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?$"
MAX_QUANTITY_LENGTH = 64

_GRAMMAR = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([A-Za-z]*)([+-]?[0-9]+)?")
_DECIMAL_EXPONENTS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_EXPONENTS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIXES = {exponent: suffix for suffix, exponent in _DECIMAL_EXPONENTS.items()}
_NANO = Decimal("1e-9")
_LARGEST_BINARY = Decimal(2**63 - 1)
# Digits for the longest text times the largest exponent, so that no operation below ever rounds by itself.
_EXACT = Context(prec=1200, Emax=3000, Emin=-3000)


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class Quantity:
    """An amount of a resource. Equal amounts are equal however they are written, which is in `text`."""

    text: str

    def __post_init__(self) -> None:
        """Refuse text that is not a quantity with a ValueError, so that every Quantity has a value."""
        if len(self.text) > MAX_QUANTITY_LENGTH or not re.fullmatch(QUANTITY_PATTERN[1:-1], self.text):
            raise ValueError(QUANTITY_WORDS)

    @property
    def value(self) -> Decimal:
        """The exact amount in the resource's unit (cores, bytes), rounded away from zero to a billionth."""
        return _value_of(self.text)

    @property
    def cores(self) -> float:
        """The amount as a number of CPU cores (`500m` is 0.5)."""
        return float(self.value)

    @property
    def bytes(self) -> int:
        """The amount as whole bytes, rounded up (`1Ki` is 1024)."""
        return int(self.value.to_integral_value(rounding=ROUND_CEILING))

    @property
    def is_whole(self) -> bool:
        """Whether the amount has no fraction, as devices must not have."""
        return self.value == self.value.to_integral_value()

    @property
    def canonical(self) -> str:
        """The text that the API server would store: no fraction, the largest suffix (`1024Mi` is `1Gi`)."""
        if self.value == 0:
            return "0"
        binary = self.text.endswith("i") and self.is_whole and abs(self.value) >= 1024
        return _binary_text(int(self.value)) if binary else _decimal_text(self.value, self._has_exponent)

    @property
    def _has_exponent(self) -> bool:
        return re.search(r"[eE][+-]?[0-9]", self.text) is not None

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.value == other.value

    def __lt__(self, other: Quantity) -> bool:
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accept text and whole numbers, as the API server does for custom resources; write text."""
        return core_schema.no_info_plain_validator_function(
            _validated, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema that Kubernetes' own types use for a quantity."""
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "maxLength": MAX_QUANTITY_LENGTH,
            "x-kubernetes-int-or-string": True,
        }


# The same few amounts are in every run, and exact arithmetic takes its time.
@functools.lru_cache(maxsize=4096)
def _value_of(text: str) -> Decimal:
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise AssertionError(f"checked at construction: {text}")
    number, suffix, exponent = Decimal(match[1]), match[2], match[3]
    if suffix in _BINARY_EXPONENTS:
        amount = _EXACT.multiply(number, Decimal(2 ** _BINARY_EXPONENTS[suffix]))
        amount = max(min(amount, _LARGEST_BINARY), -_LARGEST_BINARY)
    else:
        amount = number.scaleb(int(exponent) if exponent else _DECIMAL_EXPONENTS[suffix], _EXACT)
    # Up, never down: a small request must not become zero (Kubernetes' rule).
    rounded = abs(amount).quantize(_NANO, rounding=ROUND_CEILING, context=_EXACT)
    return rounded if amount >= 0 else -rounded


def _validated(value: object) -> Quantity:
    if isinstance(value, Quantity):
        return value
    try:
        if isinstance(value, str):
            return Quantity(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return Quantity(str(value))
    except ValueError:
        pass
    raise PydanticCustomError("quantity", "{words}", {"words": QUANTITY_WORDS})


def _binary_text(amount: int) -> str:
    suffix = ""
    for larger in _BINARY_EXPONENTS:
        if amount % 1024:
            break
        amount, suffix = amount // 1024, larger
    return f"{amount}{suffix}"


def _decimal_text(value: Decimal, with_exponent: bool) -> str:
    amount, exponent = int(value.scaleb(9, _EXACT)), -9
    while amount % 1000 == 0 and (with_exponent or exponent < 18):
        amount, exponent = amount // 1000, exponent + 3
    if with_exponent:
        return f"{amount}e{exponent}" if exponent else str(amount)
    return f"{amount}{_SUFFIXES[exponent]}"
