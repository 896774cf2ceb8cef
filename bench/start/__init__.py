"""What starts between a command and its first optimizer step: every process, when it lives and when it works."""
