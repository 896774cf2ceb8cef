"""A run's page for a user: from the JSON of a TrainingRun to text, rows and, in `page`, a page.

Pure: no clock, no files, no API server. It must not decide anything about the run; it says what status says.
"""

from trainingrun.status_page.advice import Caller
from trainingrun.status_page.overview import (
    OVERVIEW_COLUMNS,
    TOP_COLUMNS,
    WIDE_COLUMNS,
    overview_row,
    top_figures,
    top_row,
)
from trainingrun.status_page.reading import run_view_of
from trainingrun.status_page.view import AttemptView, ConditionView, RunView

__all__ = [
    "OVERVIEW_COLUMNS",
    "TOP_COLUMNS",
    "WIDE_COLUMNS",
    "AttemptView",
    "Caller",
    "ConditionView",
    "RunView",
    "overview_row",
    "run_view_of",
    "top_figures",
    "top_row",
]
