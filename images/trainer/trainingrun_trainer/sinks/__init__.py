"""Where the driver's records go besides the terminal: the run's own log, and the operator."""
