"""A run's status: what it remembers, what is true now, and what follows. Pure; the time is an argument.

It must not say what is to be created or deleted: the plan does, from what is decided here.
"""

from trainingrun.status.compose import status_of, written_part
from trainingrun.status.model import Attempt, Status

__all__ = ["Attempt", "Status", "status_of", "written_part"]
