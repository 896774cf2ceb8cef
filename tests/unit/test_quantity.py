"""Quantities mean what they mean to the Kubernetes API server."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from trainingrun.spec.quantity import Quantity

# (written, exact amount, what the API server stores)
AMOUNTS = [
    ("0", "0", "0"),
    ("0Ki", "0", "0"),
    ("-0", "0", "0"),
    ("1", "1", "1"),
    ("+1", "1", "1"),
    ("-1", "-1", "-1"),
    ("001", "1", "1"),
    ("5n", "0.000000005", "5n"),
    ("4u", "0.000004", "4u"),
    ("3m", "0.003", "3m"),
    ("1000m", "1", "1"),
    ("0.5", "0.5", "500m"),
    (".5", "0.5", "500m"),
    ("1.", "1", "1"),
    ("1.G", "1000000000", "1G"),
    ("8k", "8000", "8k"),
    ("1500", "1500", "1500"),
    ("100.035k", "100035", "100035"),
    ("7M", "7000000", "7M"),
    ("5T", "5000000000000", "5T"),
    ("2P", "2000000000000000", "2P"),
    ("12E", "12000000000000000000", "12E"),
    ("1Ki", "1024", "1Ki"),
    ("1024Mi", "1073741824", "1Gi"),
    ("1.5Gi", "1610612736", "1536Mi"),
    ("0.5Mi", "524288", "512Ki"),
    ("100.035Ki", "102435.84", "102435840m"),
    ("3Ei", "3458764513820540928", "3Ei"),
    ("0.5Ki", "512", "512"),
    ("1e3", "1000", "1e3"),
    ("1E3", "1000", "1e3"),
    ("1.3E+6", "1300000", "1300e3"),
    ("1e-3", "0.001", "1e-3"),
    ("0.5e0", "0.5", "500e-3"),
    ("1e14", "100000000000000", "100e12"),
    # Too precise: rounded away from zero to a billionth.
    ("3.001n", "0.000000004", "4n"),
    ("0.0000000001", "0.000000001", "1n"),
    ("-0.5n", "-0.000000001", "-1n"),
    ("0.000000000001Ki", "0.000000002", "2n"),
    # Too large for binary suffixes: capped.
    ("9Ei", "9223372036854775807", "9223372036854775807"),
    ("-9Ei", "-9223372036854775807", "-9223372036854775807"),
]
REFUSED = [
    "",
    " 1",
    "1 ",
    "1\n",
    "aoeu",
    "1.1.M",
    "1+1.0M",
    "0.1mi",
    "0.1am",
    ".5i",
    "1i",
    "-3.01i",
    "-3.01e-",
]
REFUSED += [
    "1e",
    "1e3.5",
    "1KI",
    "1mi",
    "1KB",
    "--1",
    "M",
    ".",
    "+",
    "1_000",
    "0x10",
    "\u0661",
    "1e1000",
    "9" * 65,
]


@pytest.mark.parametrize(("written", "amount", "canonical"), AMOUNTS)
def test_a_quantity_has_the_amount_and_the_canonical_form_that_kubernetes_gives_it(written, amount, canonical):
    quantity = Quantity(written)
    assert quantity.value == Decimal(amount)
    assert quantity.canonical == canonical
    assert Quantity(quantity.canonical).value == quantity.value


@pytest.mark.parametrize("written", REFUSED)
def test_what_kubernetes_does_not_read_is_refused(written):
    with pytest.raises(ValueError, match="a quantity"):
        Quantity(written)


def test_equal_amounts_are_equal_and_ordered_however_they_are_written():
    assert Quantity("1024Mi") == Quantity("1Gi")
    assert hash(Quantity("1024Mi")) == hash(Quantity("1Gi"))
    assert Quantity("1k") < Quantity("1Ki") <= Quantity("1024")
    assert max(Quantity("100m"), Quantity("0.2")).text == "0.2"
    assert Quantity("1") != "1"


def test_cpu_is_read_in_cores_and_memory_in_bytes_rounded_up():
    assert Quantity("500m").cores == 0.5
    assert Quantity("16Gi").bytes == 16 * 2**30
    assert Quantity("1500m").bytes == 2
    assert Quantity("4").is_whole and not Quantity("4500m").is_whole


@pytest.mark.parametrize(("value", "text"), [(4, "4"), ("0.5", "0.5"), ("16Gi", "16Gi"), (-2, "-2")])
def test_text_and_whole_numbers_are_quantities(value, text):
    assert TypeAdapter(Quantity).validate_python(value).text == text


@pytest.mark.parametrize("value", [0.5, 1e22, True, None, [], {}, b"1", float("nan"), float("inf"), 10**70])
def test_other_values_are_no_quantities(value):
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(value)


def test_the_schema_is_the_one_of_kubernetes_own_types():
    schema = TypeAdapter(Quantity).json_schema()
    assert schema["x-kubernetes-int-or-string"] is True
    assert schema["maxLength"] == 64
