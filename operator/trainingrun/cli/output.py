"""How subcommands print objects and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import yaml

_GAP = "   "


def output_option(*others: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `-o json|yaml`, and the other formats named."""
    choice = click.Choice(["json", "yaml", *others])
    return click.option("-o", "--output", type=choice, help="Print the objects in this format.")


def print_objects(bodies: Sequence[Any], output: str, *, as_list: bool) -> None:
    """Print one object, or several as a List, as JSON or YAML. As kubectl does, managedFields are left out."""
    shown = [_without_managers(body) for body in bodies]
    document = {"apiVersion": "v1", "kind": "List", "items": shown} if as_list else shown[0]
    print_document(document, output)


def print_document(document: Any, output: str) -> None:
    """Print JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(as_yaml(document), nl=False)


def as_yaml(document: Any) -> str:
    """YAML in the order of the document."""
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)


Row = Sequence[str]
# The colour of each cell of a column, by the column's name.
Colours = Mapping[str, Callable[[str], str]]


class Table:
    """A table as kubectl prints it: no lines, three spaces between columns, wider where a later row needs it."""

    def __init__(self, columns: Row, colours: Colours | None = None):
        self._columns = columns
        self._colours = colours or {}
        self._widths = [len(name) for name in columns]
        self._is_begun = False

    def print(self, rows: Sequence[Row]) -> None:
        """Print the rows below those before, or with the heading as the first ones."""
        self._widths = [max(width, *(len(row[i]) for row in rows), 0) for i, width in enumerate(self._widths)]
        if not self._is_begun:
            click.echo(self._line(self._columns, {}))
            self._is_begun = True
        for row in rows:
            click.echo(self._line(row, self._colours))

    def _line(self, row: Row, colours: Colours) -> str:
        cells = []
        for name, cell, width in zip(self._columns, row, self._widths, strict=True):
            shown = click.style(cell, fg=colours[name](cell)) if name in colours else cell
            cells.append(shown + " " * (width - len(cell)))
        return _GAP.join(cells).rstrip()


def print_table(columns: Row, rows: Sequence[Row], colours: Colours | None = None) -> None:
    """Print a whole table."""
    Table(columns, colours).print(rows)


def _without_managers(body: Any) -> Any:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}
