"""What runs on every training worker: the loop, its steps, checkpoints, and the account of where time goes."""
