"""Each rule of the definition refuses what it is there for, in its own words; and what may change, may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from crd_rule_cases import ADDITIONS, BROKEN, BROKEN_LISTS, CHANGES
from raw_client import Object, RawClient, Refused, path_of
from run_documents import document, full_run, model_says, server_says

from trainingrun.crd.rules import MUTABLE, RULES
from trainingrun.errors import InvalidSpec
from trainingrun.spec.run import RunSpec

pytestmark = pytest.mark.usefixtures("no_operator")


@pytest.mark.parametrize(("place", "words", "run"), [*BROKEN, *BROKEN_LISTS], ids=lambda value: str(value)[:60])
def test_a_broken_rule_is_refused_in_its_words(admin: RawClient, place: str, words: str, run: Object) -> None:
    refusal = server_says(admin, run)
    assert isinstance(refusal, Refused)
    assert f"{place}: " in refusal.message
    assert words in refusal.message
    assert isinstance(model_says(run), InvalidSpec)


def test_every_rule_has_a_case_that_breaks_it() -> None:
    mirrored = {rule.message for rule in RULES if rule.mirrors}
    untested = {message for message in mirrored if not any(words in message for _, words, _ in BROKEN)}
    assert untested == set()
    assert {name for name, _ in (*CHANGES, *ADDITIONS)} | set(MUTABLE) == {
        field.alias for field in RunSpec.model_fields.values()
    }


def merged(base: Any, change: Any) -> Any:
    """As a JSON merge patch."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    result = {**base, **{name: merged(base.get(name, {}), value) for name, value in change.items()}}
    return {name: value for name, value in result.items() if value is not None}


def refusal_of(admin: RawClient, stored: Object, field: str, value: Any) -> Refused:
    changed = merged(stored, {"spec": {field: value}})
    assert not isinstance(model_says(changed), InvalidSpec), "this change would be refused for another reason"
    with pytest.raises(Refused) as refused:
        admin.request("PUT", path_of("trainingruns", stored["metadata"]["name"], namespace_of(stored)), changed)
    return refused.value


def namespace_of(run: Object) -> str:
    return str(run["metadata"]["namespace"])


@pytest.fixture(scope="module")
def stored_runs(admin: RawClient) -> Iterator[tuple[Object, Object]]:
    """A run with every field set, and one with few of them."""
    runs = [full_run("immutable-full"), document("immutable-short")]
    full, short = (admin.create("trainingruns", run, "default") for run in runs)
    yield full, short
    for run in runs:
        admin.delete("trainingruns", run["metadata"]["name"], "default")


@pytest.mark.parametrize(("field", "value"), CHANGES, ids=lambda value: str(value)[:60])
def test_a_field_may_not_be_changed(
    admin: RawClient, stored_runs: tuple[Object, Object], field: str, value: Any
) -> None:
    refusal = refusal_of(admin, stored_runs[0], field, value)
    assert f"spec.{field}: " in refusal.message
    assert f"`{field}` may not be changed after creation; create a TrainingRun with a different name" in refusal.message


@pytest.mark.parametrize(("field", "value"), ADDITIONS, ids=lambda value: str(value)[:60])
def test_a_field_may_not_be_added(admin: RawClient, stored_runs: tuple[Object, Object], field: str, value: Any) -> None:
    assert f"`{field}` may not be changed" in refusal_of(admin, stored_runs[1], field, value).message


def test_a_run_may_be_suspended_and_resumed(admin: RawClient, namespace: str) -> None:
    for run in (full_run("full"), document("short")):
        created = admin.create("trainingruns", run, namespace)
        for suspend in (True, False):
            admin.patch("trainingruns", run["metadata"]["name"], {"spec": {"suspend": suspend}}, namespace)
        seen = admin.get("trainingruns", run["metadata"]["name"], namespace)
        assert seen["spec"] == created["spec"]
        assert seen["metadata"]["generation"] == 3


def test_a_run_that_is_applied_again_is_the_same(admin: RawClient, namespace: str) -> None:
    """In any way that people and GitOps tools have of doing it: with the file as it was, without the defaults."""
    for run in (full_run("full"), document("short")):
        created = admin.apply("trainingruns", run, namespace)
        admin.apply("trainingruns", run, namespace)
        admin.patch("trainingruns", run["metadata"]["name"], run, namespace)
        version = admin.get("trainingruns", run["metadata"]["name"], namespace)["metadata"]["resourceVersion"]
        replaced = {**run, "metadata": {**run["metadata"], "resourceVersion": version}}
        admin.request("PUT", path_of("trainingruns", run["metadata"]["name"], namespace), replaced)
        seen = admin.get("trainingruns", run["metadata"]["name"], namespace)
        assert (seen["spec"], seen["metadata"]["generation"]) == (created["spec"], 1)


def test_the_largest_run_can_still_be_suspended(admin: RawClient, namespace: str) -> None:
    """The API server gives up on rules that cost too much for a large object; none of ours may."""
    words = ["x" * 1000] * 256
    variables = [{"name": f"V{index}", "value": "v" * 1500} for index in range(256)]
    large = document(recipe=None, env=variables, trainer={"command": words, "args": words, "env": variables})
    large["spec"]["data"] = {"env": variables[:100]}
    admin.create("trainingruns", large, namespace)
    admin.patch("trainingruns", "mnist", {"spec": {"suspend": True}}, namespace)
    with pytest.raises(Refused, match="`trainer` may not be changed"):
        admin.patch("trainingruns", "mnist", {"spec": {"trainer": {"args": words[1:]}}}, namespace)
