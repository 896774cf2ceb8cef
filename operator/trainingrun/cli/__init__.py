"""The `trainingrun` command."""
