"""Templates to objects. Every value goes into a template as JSON, so that none can turn into YAML syntax.

It must know nothing of runs.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Hashable
from typing import Any

import jinja2
import yaml

from trainingrun.contract import pods as contract_pods

# Characters that JSON leaves as they are but YAML refuses, or reads as the end of a line.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def json_text(value: object, **_: object) -> str:
    """JSON that is YAML of the same meaning. Takes and ignores the options of `json.dumps`."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def rendered(template: str, values: dict[str, Any]) -> dict[str, Any]:
    """The object that a template makes of these values."""
    text = environment().get_template(template).render(values)
    # Built on CSafeLoader; the linter does not look that far.
    manifest: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506
    return manifest


@functools.cache
def environment() -> jinja2.Environment:
    """Jinja2 with the rules of this package's templates; compiled once per process."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trainingrun.render"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, where `tojson` is what escapes
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.policies["json.dumps_function"] = json_text
    environment.globals["contract"] = contract_pods
    return environment


class _Loader(yaml.CSafeLoader):
    """Refuses a key that appears twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key appears twice", node.start_mark)
        return mapping
