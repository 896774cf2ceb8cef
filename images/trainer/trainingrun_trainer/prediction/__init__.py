"""A trained model outside its run: to predict with in a notebook, and to hand on to other programs.

It must start nothing: no Ray, no data workers. Rows go through the functions that a run has them go through.
"""

from trainingrun_trainer.prediction.loaded import Loaded, load

__all__ = ["Loaded", "load"]
