"""Figures on a machine with a GPU, in one script of at most ten minutes, since such a machine is lent by the minute."""
