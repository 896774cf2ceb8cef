"""Copies files between this machine and a run's storage, over connections that may be cut off at any time.

Nothing gets its final name before its digest is proved, and nothing that is different is ever replaced. It must know
nothing of what files mean: which of them make a checkpoint, the commands say.
"""
