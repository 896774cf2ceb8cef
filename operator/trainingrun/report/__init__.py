"""The report of a run: one HTML file that needs nothing else, not even a network."""

from trainingrun.report.page import build_report, write_report

__all__ = ["build_report", "write_report"]
