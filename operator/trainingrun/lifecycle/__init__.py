"""What is to be created and deleted for a run, when to look again, and which events its changes are worth.

Pure; the time is an argument. The caller writes the status first, then deletes, then creates; nothing of a plan may be
carried out when that write has failed.
"""

from trainingrun.lifecycle.actions import ObjectReference, Plan, desired_state
from trainingrun.lifecycle.events import Event, transitions

__all__ = ["Event", "ObjectReference", "Plan", "desired_state", "transitions"]
