"""Where what a driver has printed is kept once its pod is gone: files in the run's folder. Pure."""

from __future__ import annotations

# In a run's folder.
FOLDER = "logs"


def driver_log_name(uid: str, attempt: int) -> str:
    """The file of this attempt at the run with this uid, which may share its folder with earlier runs."""
    return f"{uid}-{attempt:04d}-driver.log"
