"""Turns records into the HTML page and writes it. The only place here that touches files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainingrun.contract.records import REPORT_NAME, Record
from trainingrun.history import history_of, read_records
from trainingrun.report.charts import Chart
from trainingrun.report.comparison import comparison_view
from trainingrun.report.interactive import script, script_data, script_digest, script_style
from trainingrun.report.view import report_view


def build_report(records: Iterable[Record]) -> str:
    """The whole page, from the records in the order of writing; the same records make the same page."""
    view = report_view(history_of(records))
    return _rendered("report.html.j2", view, view.curves)


def build_comparison(runs: Sequence[Iterable[Record]]) -> str:
    """The page that compares runs, at most eight, each from its own records."""
    view = comparison_view([history_of(records) for records in runs])
    return _rendered("comparison.html.j2", view, view.curves)


def write_report(folder: Path | str, output: Path | None = None) -> Path:
    """Write the report of the run in `folder`, a path or a URI, and give its path: `folder`/report.html, or `output`.

    Raises NoRecords without any record, Unreadable where a store cannot be read, and OSError.
    """
    return write_page(build_report(read_records(folder)), output or Path(folder) / REPORT_NAME)


def write_page(page: str, target: Path) -> Path:
    """Write a page. Readers see the old one or the new one, never half of it."""
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


@dataclass(frozen=True)
class _Script:
    """What the templates need for the page's script. All of it is ours or JSON, and nothing is escaped."""

    text: Markup
    digest: str
    style: Markup
    data: Markup


def _rendered(template: str, view: Any, charts: Sequence[Chart]) -> str:
    data = script_data({chart.name: chart.data for chart in charts if chart.data is not None})
    made = _Script(Markup(script()), script_digest(), Markup(script_style()), Markup(data))  # noqa: S704
    page = _environment().get_template(template).render(view=view, script=made)
    # A lone surrogate in a name cannot be written as UTF-8.
    return page.encode("utf-8", "replace").decode("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("trainingrun.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
