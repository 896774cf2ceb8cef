"""YAML text as values that remember where they stand, so that a problem can point at its line.

It must know nothing about the API. Built from the parser's events and not by PyYAML's composer, because
that one follows nesting without a limit on the C stack and drops keys that are written twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from trainingrun.spec.paths import join_path
from trainingrun.spec.plain import MAX_DEPTH
from trainingrun.spec.scalars import plain_scalar, tagged_scalar

MAX_EVENTS = 50_000

_SEQUENCE_TAGS = (None, "!", "tag:yaml.org,2002:seq")
_MAPPING_TAGS = (None, "!", "tag:yaml.org,2002:map")


class Position(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int


class Mistake(NamedTuple):
    """Something that is wrong with the YAML of a document, apart from its content."""

    position: Position
    path: str
    found: str
    allowed: str


@dataclass
class Node:
    """A value and, for what it contains, where each entry stands (a mapping's entry: at its key)."""

    value: Any
    children: dict[str | int, tuple[Position, Node]] = field(default_factory=dict)

    def position_of(self, steps: tuple[str | int, ...], start: Position) -> Position:
        """Where the value at these steps stands, or the nearest one around it that exists."""
        node, position = self, start
        for step in steps:
            if step not in node.children:
                break
            position, node = node.children[step]
        return position


@dataclass
class Document:
    """One document of a file."""

    start: Position
    root: Node
    mistakes: list[Mistake]


class TooComplex(ValueError):
    """The text nests too deeply or has too many parts to be read; says where."""

    def __init__(self, position: Position, found: str, allowed: str):
        self.position = position
        self.found = found
        self.allowed = allowed
        super().__init__(found)


def documents_of(text: bytes) -> Iterator[Document]:
    """The documents of UTF-8 text, one by one. Raises TooComplex, or yaml.YAMLError where it is no YAML."""
    builder = _Builder()
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        position = _position(event)
        if count > MAX_EVENTS:
            raise TooComplex(position, f"more than {MAX_EVENTS:,} values and keys", "a smaller file")
        builder.add(event, position)
        if isinstance(event, yaml.DocumentEndEvent) and builder.root is not None:
            yield Document(builder.start, builder.root, builder.mistakes)
            builder = _Builder()


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


@dataclass
class _Open:
    """A container whose end has not been seen, and the key that waits for its value."""

    node: Node
    position: Position
    step: str | int
    key: str | None = None
    ignored: bool = False


class _Builder:
    """Puts one document together from events."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.start = Position(1, 1)
        self.mistakes: list[Mistake] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}

    def add(self, event: yaml.Event, position: Position) -> None:
        """Take the next event of the document."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, position)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), position)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._container(event, position)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> None:
        if self._takes_key():
            self._key(event, position)
            return
        node = Node(self._value(event, position))
        self._anchor(event.anchor, node)
        self._attach(node, position)

    def _value(self, event: yaml.ScalarEvent, position: Position) -> Any:
        if event.tag is None:
            return plain_scalar(event.value) if event.implicit[0] else event.value
        try:
            return tagged_scalar(event.tag, event.value)
        except ValueError as error:
            self._mistake(position, str(error), "a value without a tag")
            return None

    def _alias(self, anchor: str, position: Position) -> None:
        node = self._anchors.get(anchor)
        if node is None:
            self._mistake(
                position, f"*{anchor[:60]}, which is not defined before it", f"&{anchor[:60]} defined earlier"
            )
        elif any(container.node is node for container in self._open):
            self._mistake(
                position, f"*{anchor[:60]} inside the value that it stands for", "an alias of a complete value"
            )
            node = None
        if self._takes_key():
            self._mistake(position, "an alias as a key", "text")
            self._open[-1].key, self._open[-1].ignored = "", True
        else:
            self._attach(node or Node(None), position)

    def _container(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, position: Position) -> None:
        if len(self._open) > MAX_DEPTH:
            raise TooComplex(position, "nesting that is too deep", f"at most {MAX_DEPTH} levels")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (_MAPPING_TAGS if is_mapping else _SEQUENCE_TAGS):
            self._mistake(position, f"the tag {event.tag[:60]}", "a value without a tag")
        node = Node({} if is_mapping else [])
        self._anchor(event.anchor, node)
        step: str | int = ""
        if self._takes_key():
            self._mistake(position, "a list or mapping as a key", "text")
            self._open[-1].key, self._open[-1].ignored = "", True
        else:
            step = self._next_step()
            self._attach(node, position)
        self._open.append(_Open(node, position, step))

    def _takes_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node.value, dict) and self._open[-1].key is None

    def _key(self, event: yaml.ScalarEvent, position: Position) -> None:
        container = self._open[-1]
        key = self._value(event, position)
        container.key, container.position, container.ignored = event.value, position, True
        self._anchor(event.anchor, Node(key))
        if not isinstance(key, str):
            self._mistake(position, f"the key {event.value[:60]}, which is not text", "text; put it in quotes")
        elif key == "<<" and event.implicit[0]:
            self._mistake(position, "a merge (<<)", "the fields themselves, written out")
        elif key in container.node.children:
            first = container.node.children[key][0]
            self._mistake(position, f"this key again, first on line {first.line}", "each key once")
        else:
            container.ignored = False

    def _attach(self, node: Node, position: Position) -> None:
        if not self._open:
            self.root, self.start = node, position
            return
        container = self._open[-1]
        if isinstance(container.node.value, list):
            container.node.children[len(container.node.value)] = (position, node)
            container.node.value.append(node.value)
        elif container.key is not None:
            if not container.ignored:
                container.node.children[container.key] = (container.position, node)
                container.node.value[container.key] = node.value
            container.key = None

    def _anchor(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _mistake(self, position: Position, found: str, allowed: str) -> None:
        steps = [container.step for container in self._open[1:]]
        if self._open:
            steps.append(self._next_step())
        self.mistakes.append(Mistake(position, join_path(steps), found, allowed))

    def _next_step(self) -> str | int:
        """Where the next value goes in the container that is open."""
        if not self._open:
            return ""
        container = self._open[-1]
        return len(container.node.value) if isinstance(container.node.value, list) else container.key or ""
