"""`python -m trainingrun_trainer`: the entrypoint of the training image, also what a local run starts.

Reads the run's file, trains, and ends with one of the codes in `exits`. Everything else is in `entrypoint`.
"""

import sys

from trainingrun_trainer.driver.entrypoint import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
