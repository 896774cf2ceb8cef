"""A user's own code, which no image has."""
