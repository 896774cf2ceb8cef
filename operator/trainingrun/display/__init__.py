"""Shows a run's records while they arrive: on a terminal, as log lines, or as JSON lines.

It must not read files or decide anything about the run.
"""

from trainingrun.display.lines import JsonDisplay
from trainingrun.display.plain import PlainDisplay
from trainingrun.display.sink import Sink, display_for
from trainingrun.display.summary import summary_lines
from trainingrun.display.terminal import RichDisplay

__all__ = ["JsonDisplay", "PlainDisplay", "RichDisplay", "Sink", "display_for", "summary_lines"]
