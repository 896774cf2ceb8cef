"""Keeps the end-to-end tests out of every run of pytest that does not name their folder: they need a cluster."""

collect_ignore = ["e2e"]
