"""`python -m trainingrun` is the `trainingrun` command."""

from trainingrun.cli import main

if __name__ == "__main__":
    main(prog_name="trainingrun")
