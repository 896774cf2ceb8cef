"""What follows for a run from what is known of it: its attempts, its status, what is created and what is deleted.

Pure; the time is an argument. `decision.decide` is the only door.
"""

from trainingrun.lifecycle.decision import Decision, decide

__all__ = ["Decision", "decide"]
