"""What the operator's installation adds to a rendering; everything else comes from the run."""

from __future__ import annotations

from dataclasses import dataclass

PROGRESS_AUDIENCE = "trainingrun.dev"


@dataclass(frozen=True)
class RenderSettings:
    """Where pods report their progress to, if they do.

    `progress_url` is the endpoint's base (`https://trainingrun-progress.trainingrun-system.svc`), `progress_audience`
    the audience of the token that pods send, `progress_ca` the PEM certificates that the endpoint's own is checked
    against; None leaves that to the certificates in the training image.
    """

    progress_url: str | None = None
    progress_audience: str = PROGRESS_AUDIENCE
    progress_ca: str | None = None
