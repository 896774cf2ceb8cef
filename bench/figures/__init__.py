"""The figures, one module each, every one with `measure(rounds, workspace) -> Result`."""
