"""A user's own code."""
