"""The API of a training run and the tools around it.

This package describes, checks and reports runs. It must import neither ray nor torch, so that it starts in
milliseconds and fits in a small image; what trains is `trainingrun_trainer`.
"""

__version__ = "0.1.0"
