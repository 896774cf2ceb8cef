"""Replicas and restarts end with one certificate, and everything else in the Secret stays as it was."""

from __future__ import annotations

import asyncio
import base64
import copy
from datetime import UTC, datetime, timedelta

import pytest
from secret_store import SecretStore

from trainingrun.certificate.issuing import LIFETIME, RENEWED_BEFORE, Issued
from trainingrun.certificate.secret import obtain
from trainingrun.kube import Api, NotFound

NOW = datetime(2026, 9, 1, tzinfo=UTC)
HOST = "progress.system.svc"


def obtained(store: SecretStore, *, now: datetime = NOW, host: str = HOST, name: str = "certificate") -> Issued:
    return asyncio.run(obtain(Api(store), "system", name, host, now))  # type: ignore[arg-type]


def test_an_empty_secret_is_filled_and_nothing_else_of_it_changes() -> None:
    store = SecretStore()
    issued = obtained(store)
    held = {key: base64.b64decode(value) for key, value in store.body["data"].items()}
    assert held == {"ca.crt": issued.authority, "tls.crt": issued.certificate, "tls.key": issued.key}
    assert store.body["metadata"]["labels"] == {"a": "b"}


def test_a_restart_finds_the_certificate_and_writes_nothing() -> None:
    store = SecretStore()
    first = obtained(store)
    assert obtained(store, now=NOW + LIFETIME - RENEWED_BEFORE) == first
    assert store.writes == 1


def test_replicas_that_start_at_once_end_with_one_certificate() -> None:
    store, theirs = SecretStore(), SecretStore()
    other = obtained(theirs)

    def lose_the_race() -> None:
        store.before_write = lambda: None
        store.store(copy.deepcopy(theirs.body))

    store.before_write = lose_the_race
    assert obtained(store) == other
    assert store.writes == 1


def test_fields_of_others_in_the_secret_stay() -> None:
    store = SecretStore({"note": "eA=="})
    obtained(store)
    assert store.body["data"]["note"] == "eA=="


@pytest.mark.parametrize("key", ["ca.crt", "tls.crt", "tls.key"])
@pytest.mark.parametrize("value", [None, "", "bm8gUEVN", "%"], ids=["missing", "empty", "no-pem", "no-base64"])
def test_a_damaged_certificate_is_made_anew(key: str, value: str | None) -> None:
    store = SecretStore()
    first = obtained(store)
    data = dict(store.body["data"])
    del data[key]
    store.body["data"] = data if value is None else {**data, key: value}
    second = obtained(store)
    assert second != first
    assert obtained(store) == second


def test_a_certificate_that_ends_soon_or_is_for_another_name_is_made_anew() -> None:
    store = SecretStore()
    first = obtained(store)
    later = NOW + LIFETIME - RENEWED_BEFORE + timedelta(seconds=1)
    second = obtained(store, now=later)
    third = obtained(store, now=later, host="other.system.svc")
    assert len({first.key, second.key, third.key}) == 3


def test_parts_of_two_certificates_are_not_taken_for_one() -> None:
    store, other = SecretStore(), SecretStore()
    first = obtained(store)
    obtained(other)
    for key in ("ca.crt", "tls.key"):
        store.body["data"] = {**store.body["data"], key: other.body["data"][key]}
        assert obtained(store) != first


def test_a_secret_that_does_not_exist_is_not_made() -> None:
    with pytest.raises(NotFound):
        obtained(SecretStore(), name="another")
