"""The one gate before what cannot be taken back: how much must be proved before an attempt, or its run, is given up.

A verdict ends the run for good, and what deletes an attempt that trains costs hours. So evidence that may be wrong, may
heal or may be outdone by better evidence must hold for a while, and what only a cache shows must be read afresh. Pure:
how long evidence has held follows from what status remembers and the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trainingrun.failures.failure import Failure


@dataclass(frozen=True)
class Proof:
    """What makes evidence certain: that it has held for so long and, with `read`, that a fresh read shows it too.

    With `always`, this is needed to end the attempt at all; otherwise only to end the run with it, since a retry can
    make up for an error.
    """

    held: timedelta = timedelta()
    always: bool = False
    read: bool = False


# Somebody who knows has said it of our own object, and it can never become untrue.
FACT = Proof()
# The end itself is certain; but pods, which may say more exactly why, are watched on their own and speak late.
OTHERS_MAY_SPEAK = Proof(timedelta(seconds=10), read=True)
# What KubeRay can only show for a moment, or a cache that is half way through a list.
CONTRADICTION = Proof(timedelta(seconds=10), always=True, read=True)
# A RayJob may be missing from a cache that lags behind, or that it has left by losing a label.
ABSENCE = Proof(timedelta(seconds=30), always=True, read=True)
# One reading of a clock that is ahead must end nothing.
THE_CLOCK = Proof(timedelta(seconds=10), always=True)
# A registry, or whoever makes Secrets and images, may be a bit behind.
WORDS_OF_OTHERS = Proof(timedelta(minutes=5), always=True, read=True)


@dataclass(frozen=True)
class Found:
    """A failure with the proof that it needs. `has_ended`: KubeRay has ended the attempt, only the class is open."""

    failure: Failure
    proof: Proof = FACT
    has_ended: bool = False


def final(found: Found, *, ends_run: bool, held_for: timedelta) -> bool:
    """Whether the attempt may be given up, and its run if that follows, now that this has been seen for so long."""
    return held_for >= found.proof.held or not needs_proof(found, ends_run=ends_run)


def needs_proof(found: Found, *, ends_run: bool) -> bool:
    """Whether giving the attempt up depends on the proof."""
    return found.proof.always or ends_run
