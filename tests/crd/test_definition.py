"""The definition follows Kubernetes' rules for structural schemas, and nothing in it is without bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from schemas import parts

from trainingrun.crd.definition import custom_resource_definition, run_schema
from trainingrun.crd.rules import RULES
from trainingrun.spec.run import RunSpec
from trainingrun.spec.runtime import OWN

# What kubectl apply must be able to keep in an annotation.
LAST_APPLIED_LIMIT = 262_144
# What only a pod's or a function's own code can judge; bounded by the number of keys around it.
ANYTHING = {".runtime.template{}", ".parameters{}", ".affinity{}", ".topologySpreadConstraints[]{}"}
PARTS = list(parts(run_schema()))


def bound_of(schema: dict[str, Any]) -> str | None:
    """The keyword that bounds values of this schema, or None where they need none."""
    if "enum" in schema or schema.get("format") == "date-time" or "properties" in schema:
        return None
    if "x-kubernetes-int-or-string" in schema:
        return "maxLength"
    return {"string": "maxLength", "array": "maxItems", "object": "maxProperties"}.get(schema.get("type", ""))


@pytest.mark.parametrize(("place", "schema"), PARTS, ids=[place or "run" for place, _ in PARTS])
def test_every_part_has_a_type_and_bounds(place, schema):
    if "x-kubernetes-preserve-unknown-fields" in schema:
        assert any(place.endswith(known) for known in ANYTHING)
    elif "x-kubernetes-int-or-string" not in schema:
        assert schema["type"] in ("object", "array", "string", "integer", "number", "boolean")
    bound = bound_of(schema)
    if bound and place != ".metadata":
        assert isinstance(schema.get(bound), int), f"{place} has no {bound}"


@pytest.mark.parametrize(("place", "schema"), PARTS, ids=[place or "run" for place, _ in PARTS])
def test_every_part_is_structural(place, schema):
    assert not {"$ref", "anyOf", "oneOf", "allOf", "not", "const", "title", "$defs"} & set(schema)
    if schema.get("type") == "array":
        assert schema["x-kubernetes-list-type"] in ("atomic", "map")
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            assert key in schema["items"]["required"]
    assert not ("properties" in schema and "additionalProperties" in schema)
    assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
    assert isinstance(schema.get("exclusiveMinimum", True), bool)


def test_every_field_of_spec_and_status_is_described():
    def fields_without_words(schema, place):
        for name, field in schema.get("properties", {}).items():
            if not field.get("description"):
                yield f"{place}.{name}"
            yield from fields_without_words(field, f"{place}.{name}")
        if "items" in schema:
            yield from fields_without_words(schema["items"], f"{place}[]")

    properties = run_schema()["properties"]
    assert list(fields_without_words(properties["spec"], "spec")) == []
    assert list(fields_without_words(properties["status"], "status")) == []


def test_only_scalars_and_empty_objects_are_filled_in():
    defaults = {place: schema["default"] for place, schema in PARTS if "default" in schema}
    objects = {place: value for place, value in defaults.items() if isinstance(value, dict | list)}
    assert objects == {
        ".spec.recipe.dataset.onBadRow": {},
        ".status": {"observedGeneration": -1},
    }
    assert defaults[".spec.recipe.epochs"] == 10
    assert defaults[".spec.suspend"] is False


def test_nothing_is_filled_in_that_a_runtime_may_give():
    filled = {place.split(".")[2] for place, schema in PARTS if "default" in schema and place.startswith(".spec.")}
    assert filled == {"recipe", "suspend", "runtimeRef"} == set(OWN[()])


def test_the_definition_is_small_enough_for_kubectl_apply():
    # Half of it, so that a version more would still fit.
    assert len(json.dumps(custom_resource_definition())) < LAST_APPLIED_LIMIT / 2


def test_names_are_the_published_ones():
    definition = custom_resource_definition()
    assert definition["metadata"]["name"] == "trainingruns.trainingrun.dev"
    names = definition["spec"]["names"]
    assert (names["kind"], names["plural"], names["shortNames"]) == ("TrainingRun", "trainingruns", ["trun"])
    assert "categories" not in names
    (version,) = definition["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1beta1", True, True)
    assert version["subresources"] == {"status": {}}


def test_every_rule_is_in_the_schema_where_its_model_is_used():
    placed = [rule for _, schema in PARTS for rule in schema.get("x-kubernetes-validations", ())]
    assert {rule.to_schema()["rule"] for rule in RULES} == {rule["rule"] for rule in placed}
    # Those of resources three times, those of variables thrice, of sources twice.
    assert len(placed) > len(RULES)


def test_all_but_suspend_is_immutable():
    rules = run_schema()["properties"]["spec"]["x-kubernetes-validations"]
    immutable = {rule["fieldPath"].removeprefix(".") for rule in rules if "oldSelf" in rule["rule"]}
    assert immutable == {field.alias for field in RunSpec.model_fields.values()} - {"suspend"}
