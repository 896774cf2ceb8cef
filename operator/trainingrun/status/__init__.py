"""The API of status: its fields and conditions, and reading them back from what was recorded. Pure.

Nothing is decided here: `trainingrun.lifecycle` does that.
"""
