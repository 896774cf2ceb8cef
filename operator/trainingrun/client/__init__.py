"""What is done with runs in a cluster, for the command line and for programs: one connection, one way for each thing.

It must know nothing of options and of a terminal, and nothing here is imported before something is done.
"""
