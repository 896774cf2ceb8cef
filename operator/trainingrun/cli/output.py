"""How subcommands print objects and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as kubectl does: no lines, three spaces between columns."""
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    for row in (columns, *rows):
        click.echo(_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _without_managers(body: Any) -> Any:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}
