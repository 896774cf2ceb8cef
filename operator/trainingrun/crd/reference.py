"""docs/api.md: every field of the API in tables, made from the same schemas as the CustomResourceDefinition.

It must say nothing by itself that the model, the rules or the columns say already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from trainingrun.contract.labels import (
    API_VERSION,
    CLUSTER_RUNTIME_KIND,
    CLUSTER_RUNTIME_SHORT_NAME,
    KIND,
    RUNTIME_KIND,
    RUNTIME_SHORT_NAME,
    SHORT_NAME,
)
from trainingrun.crd.definition import COLUMNS, WIDE_COLUMNS
from trainingrun.crd.rules import PARSE_ONLY, RULES
from trainingrun.spec.model import PATTERN_WORDS
from trainingrun.spec.run import RunSpec
from trainingrun.spec.runtime import MAX_BYTES, OWN
from trainingrun.status.reported_fields import RunStatus

Schema = dict[str, Any]

_OWN = ", ".join(f"`{'.'.join((*steps, name))}`" for steps, names in OWN.items() for name in names)
_INTRODUCTION = f"""# API

`{API_VERSION}`, kind `{KIND}`, short name `{SHORT_NAME}`. `python -m trainingrun.crd` writes this page from
the typed model, from which it also generates the CustomResourceDefinition.

- `metadata.name` is at most 63 lower-case letters, digits and `-`; it starts with a letter and does not end with `-`.
- Only `suspend` may change after creation. To change anything else, create a run with a different name.
- In `recipe`, the API server fills in the defaults of text, numbers and flags. Other omitted fields are not stored:
  they come from the [runtime](runtimes.md) that the run names, else they mean what the column Default says.
- A null counts as an omitted field. Fields that are not in these tables are refused.
- A quantity is text such as `500m` or `16Gi`, or a whole number; a fraction must be in quotes (`"0.5"`).
- Most rules are checked when a run is applied. The rest is checked by the operator, which reports problems in the
  condition `Accepted` ([conditions](conditions.md)), and by `trainingrun validate`.
"""


_RUNTIMES = f"""## Runtimes

`{CLUSTER_RUNTIME_KIND}` (short name `{CLUSTER_RUNTIME_SHORT_NAME}`) and `{RUNTIME_KIND}` (`{RUNTIME_SHORT_NAME}`) have
one field, `spec.template`: the fields of a run's `spec` but {_OWN}. It is at most {MAX_BYTES:,} bytes of JSON. How it
becomes part of a run is in [Runtimes](runtimes.md).
"""


def api_page() -> str:
    """The whole page."""
    sections = [
        _INTRODUCTION,
        *_Reference(RunSpec, written_by_people=True).sections("spec"),
        "## What only the operator checks\n\n" + "".join(f"- {words}\n" for words in PARSE_ONLY.values()),
        _RUNTIMES,
        *_Reference(RunStatus, written_by_people=False).sections("status"),
        _columns(),
    ]
    return "\n".join(sections)


def _columns() -> str:
    shown = [(column, "always") for column in COLUMNS] + [(column, "with `-o wide`") for column in WIDE_COLUMNS]
    rows = [["Column", "Shown", "Meaning"], ["---"] * 3, *([name, when, words] for (name, _, _, words), when in shown)]
    return f"## Columns of `kubectl get`\n\n{_table(rows)}"


class _Reference:
    """The tables of one model and of all the models in it. Defaults are shown only for fields that users write."""

    def __init__(self, model: type[BaseModel], *, written_by_people: bool):
        self._name = model.__name__
        self._whole = model.model_json_schema()
        self._definitions: Mapping[str, Schema] = self._whole["$defs"]
        self._has_defaults = written_by_people

    def sections(self, path: str) -> Iterator[str]:
        """A section for each model, in the order in which they are first used."""
        yield self._section(f"## {self._name}\n\n`{path}`: ", self._name, self._whole)
        for name in self._used_in(self._whole):
            yield self._section(f"### {name}\n\n", name, self._definitions[name])

    def _used_in(self, schema: Schema, known: tuple[str, ...] = ()) -> tuple[str, ...]:
        for field in schema["properties"].values():
            plain = _plain(field)
            name = _reference(_plain(plain.get("items", plain)))
            if name not in known and "properties" in self._definitions.get(name, {}):
                known = self._used_in(self._definitions[name], (*known, name))
        return known

    def _section(self, heading: str, name: str, schema: Schema) -> str:
        columns = ["Field", "Type", *(["Default"] if self._has_defaults else []), "Limits", "Meaning"]
        required = schema.get("required", ())
        rows = [columns, ["---"] * len(columns)]
        rows += [self._row(key, field, key in required) for key, field in schema["properties"].items()]
        rules = "".join(f"- {line}\n" for line in _rules(name))
        text = f"{heading}{schema['description']}\n\n{_table(rows)}"
        return f"{text}\n{rules}" if rules else text

    def _row(self, name: str, field: Schema, required: bool) -> list[str]:
        schema = _plain(field)
        words = field.get("description") or self._definition(schema).get("description", "")
        default = ["required" if required else self._default(schema)] if self._has_defaults else []
        return [f"`{name}`", self._type(schema), *default, self._limits(schema), words]

    def _definition(self, schema: Schema) -> Schema:
        """What the schema refers to, or the schema itself."""
        return self._definitions.get(_reference(schema), schema)

    def _type(self, schema: Schema) -> str:
        schema, name = self._definition(schema), _reference(schema)
        if "properties" in schema:
            return _link(name)
        if "x-kubernetes-int-or-string" in schema:
            return "quantity"
        if schema.get("type") == "array":
            return f"list of {self._type(_plain(schema['items']))}"
        if schema.get("type") == "object":
            return f"map to {self._type(_plain(schema['additionalProperties']))}"
        return "time" if schema.get("format") == "date-time" else str(schema.get("type", "any value"))

    def _default(self, schema: Schema) -> str:
        default = schema.get("default")
        if "$ref" in schema and isinstance(default, dict):
            default = _difference(default, self._definition(schema))
            return _code(default) if default else f"as in {_link(_reference(schema))}"
        return "" if default is None or default in ([], {}) else _code(default)

    def _limits(self, schema: Schema) -> str:
        schema = self._definition(schema)
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        match schema.get("type"):
            case "string":
                words = PATTERN_WORDS.get(schema.get("pattern", ""), "")
                return "; ".join(filter(None, (_range(schema, "Length", "characters"), words)))
            case "array":
                return self._with_entries(_range(schema, "Items", "entries"), schema["items"])
            case "object" if "properties" not in schema:
                return self._with_entries(_range(schema, "Properties", "keys"), schema["additionalProperties"])
            case "integer" | "number":
                return _numbers(schema)
        return ""

    def _with_entries(self, own: str, entry: Schema) -> str:
        inner = self._limits(_plain(entry))
        return f"{own}, each {inner}" if inner else own


def _plain(schema: Schema) -> Schema:
    """The schema without the choice of null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return schema if "x-kubernetes-int-or-string" in schema or not choices else {**schema, **choices[0]}


def _reference(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _table(rows: list[list[str]]) -> str:
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def _difference(default: Mapping[str, Any], definition: Schema) -> Schema:
    """What the default of an object says beyond the defaults of the object's own fields."""
    own = {name: field.get("default") for name, field in definition["properties"].items()}
    return {name: value for name, value in default.items() if name not in own or value != own[name]}


def _code(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).removesuffix("...\n")
    return f"`{text.strip()}`"


def _range(schema: Schema, of: str, unit: str) -> str:
    low, high = schema.get(f"min{of}", 0), schema.get(f"max{of}")
    if high is None:
        return ""
    return f"{low:,} to {high:,} {unit}" if low else f"at most {high:,} {unit}"


def _numbers(schema: Schema) -> str:
    low, above, high = schema.get("minimum"), schema.get("exclusiveMinimum"), schema.get("maximum")
    if high is None:
        return "" if low is None else f"at least {low:,}"
    return f"{low:,} to {high:,}" if above is None else f"above {above:,}, at most {high:,.0f}"


def _rules(model: str) -> Iterator[str]:
    """The rules of a model in words, each once."""
    told: dict[str, None] = {}
    for rule in RULES:
        if rule.model.__name__ == model and rule.mirrors:
            place = rule.at or rule.field
            is_named = not place or f"`{place}`" in rule.message
            told[f"{rule.message[:1].upper()}{rule.message[1:]}." if is_named else f"`{place}`: {rule.message}."] = None
    yield from told
