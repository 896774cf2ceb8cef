"""The endpoint to which training reports its progress."""
