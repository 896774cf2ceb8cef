"""The report of a run, or of several: one HTML file that needs nothing else, not even a network."""

from trainingrun.report.page import build_comparison, build_report, write_page, write_report

__all__ = ["build_comparison", "build_report", "write_page", "write_report"]
