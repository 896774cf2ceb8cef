"""`submit --code DIR`: a folder becomes the code of runs. It must be imported only by a command that runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from trainingrun.archive import Archive, Refused, code_field, packed
from trainingrun.client.problems import INVALID_FILE


def packed_code(folder: Path) -> Archive:
    """The folder as an archive, having said what is in it. Ends the program where it cannot be packed."""
    try:
        archive = packed(folder)
    except Refused as error:
        click.echo(f"--code {error}", err=True)
        sys.exit(INVALID_FILE)
    for sentence in archive.sentences():
        click.echo(sentence, err=True)
    return archive


def with_code(document: Mapping[str, Any], archive: Archive | None) -> Mapping[str, Any]:
    """The run's document with the archive, if there is one, as its `spec.code`."""
    if archive is None:
        return document
    name = document["metadata"]["name"]
    if document["spec"].get("code") is not None:
        raise click.UsageError(f"{name} has spec.code in the file already: leave that or --code out.")
    return {**document, "spec": {**document["spec"], "code": code_field(archive, name)}}
