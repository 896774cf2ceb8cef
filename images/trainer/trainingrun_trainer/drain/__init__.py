"""The preStop hook. Stays empty: what the hook loads must cost no time, so neither torch nor Ray."""
