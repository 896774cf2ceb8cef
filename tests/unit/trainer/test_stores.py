"""Schemes of stores are documented in one place, their clients are in the image, and unknown ones are told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from trainingrun_trainer.data.files import find_files
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.stores import SCHEMES

ROOT = Path(__file__).parents[3]


def test_the_documented_schemes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)://` \| `(\w+)` \| (.+) \|$", (ROOT / "docs" / "data.md").read_text(), re.MULTILINE)
    assert {scheme: (extra, store) for scheme, extra, store in rows} == SCHEMES


def test_the_image_has_the_client_of_every_documented_store() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = (ROOT / "requirements" / "trainer.txt").read_text()
    for extra, _ in SCHEMES.values():
        for requirement in extras[extra]:
            name = re.split(r"[\[>=]", requirement)[0]
            assert re.search(rf"^{name}==", locked, re.MULTILINE | re.IGNORECASE), name


def test_rows_at_an_unknown_scheme_are_refused_with_the_schemes_that_there_are() -> None:
    with pytest.raises(
        InvalidConfiguration, match=r"field: .*nowhere:// is no scheme of a store, allowed: s3://, gs://"
    ):
        find_files("field", "nowhere://bucket/rows", (".parquet",))
