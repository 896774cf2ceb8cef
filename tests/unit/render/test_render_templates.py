"""The rules that keep templates readable and safe, checked on the templates themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import jinja2
import pytest
import yaml
from jinja2 import nodes

from trainingrun.render.template_engine import environment, json_text, rendered

TEMPLATES = environment().list_templates()


def parsed(name: str) -> nodes.Template:
    source, _, _ = environment().loader.get_source(environment(), name)
    return environment().parse(source)


def is_a_name(node: nodes.Node) -> bool:
    """Whether the node is a value as it came, such as `pod.is_head`, and no computation."""
    while isinstance(node, nodes.Getattr):
        node = node.node
    return isinstance(node, nodes.Name)


def is_a_macro_indented(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Filter)
        and node.name == "indent"
        and isinstance(node.node, nodes.Call)
        and isinstance(node.node.node, nodes.Name)
    )


def outputs(name: str) -> Iterator[nodes.Node]:
    for output in parsed(name).find_all(nodes.Output):
        yield from (node for node in output.nodes if not isinstance(node, nodes.TemplateData))


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_value_goes_through_tojson(name):
    for node in outputs(name):
        is_json = isinstance(node, nodes.Filter) and node.name == "tojson" and is_a_name(node.node)
        assert is_json or is_a_macro_indented(node), f"line {node.lineno}"


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_decide_nothing_themselves(name):
    allowed = (nodes.Output, nodes.TemplateData, nodes.Macro, nodes.FromImport, nodes.If, nodes.For)
    for statement in parsed(name).find_all(nodes.Stmt):
        assert isinstance(statement, allowed), f"line {statement.lineno}"
    for condition in parsed(name).find_all(nodes.If):
        assert is_a_name(condition.test) and not (condition.elif_ or condition.else_), f"line {condition.lineno}"
    for loop in parsed(name).find_all(nodes.For):
        assert is_a_name(loop.iter) and loop.test is None, f"line {loop.lineno}"


def test_the_rules_cover_all_templates():
    assert {"rayjob.yaml.j2", "raycluster.yaml.j2", "_cluster.yaml.j2", "_pod.yaml.j2"} <= set(TEMPLATES)


@pytest.fixture
def one_template(monkeypatch) -> None:
    """An environment like the real one whose only templates are these."""
    templates = {
        "twice": "a: 1\nb: {a: {{ value|tojson }}, a: 2}\n",
        "value": "a: {{ value|tojson }}\n",
        "choice": "{% if value %}a: 1{% endif %}",
    }
    overlay = environment().overlay(loader=jinja2.DictLoader(templates))
    monkeypatch.setattr("trainingrun.render.template_engine.environment", lambda: overlay)


@pytest.mark.usefixtures("one_template")
def test_a_key_that_is_there_twice_is_an_error():
    with pytest.raises(yaml.YAMLError, match="twice"):
        rendered("twice", {"value": 1})


@pytest.mark.usefixtures("one_template")
@pytest.mark.parametrize("name", ["value", "choice"])
def test_a_value_that_is_missing_is_an_error(name):
    with pytest.raises((jinja2.UndefinedError, TypeError), match=r"Undefined|undefined"):
        rendered(name, {})


@pytest.mark.usefixtures("one_template")
def test_every_character_of_unicode_arrives():
    for first in [*range(0, 0xD800, 64), *range(0xE000, 0x11_0000, 64)]:
        text = " ".join(map(chr, range(first, first + 64)))
        assert json.loads(json_text(text)) == text
        assert rendered("value", {"value": text}) == {"a": text}
