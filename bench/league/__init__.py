"""The loader league: how fast loaders feed training on this machine, and which rows they lose when it is killed.

Every contestant runs in a virtual environment of its own and only prints the ids of the rows that it delivers. The
referee alone counts and times them.
"""
