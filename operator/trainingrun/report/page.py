"""Turns records into the HTML page and writes it. The only place here that touches files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from trainingrun.contract.records import Record
from trainingrun.history import history_of, read_records
from trainingrun.report.view import report_view

REPORT_NAME = "report.html"


def build_report(records: Iterable[Record]) -> str:
    """The whole page, from the records in the order of writing; the same records make the same page."""
    environment = Environment(
        loader=PackageLoader("trainingrun.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(view=report_view(history_of(records)))
    # A lone surrogate in a name cannot be written as UTF-8.
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(directory: Path, output: Path | None = None) -> Path:
    """Write the report of the run in `directory` and give its path (`directory`/report.html, or `output`).

    Readers see the old page or the new one, never half of it. Raises NoRecords without any record.
    """
    page = build_report(read_records(directory))
    target = output or directory / REPORT_NAME
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as file:
        try:
            file.write(page)
            file.close()
            Path(file.name).chmod(0o644)
            os.replace(file.name, target)
        except BaseException:
            os.unlink(file.name)
            raise
    return target
