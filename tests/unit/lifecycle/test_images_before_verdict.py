"""An image that cannot be pulled ends a run for good only once waiting for it is known to be in vain."""

from __future__ import annotations

from datetime import timedelta

import pytest
from story import START, Story, container

IMAGE_WORDS = [
    "401 Unauthorized",
    "content digest sha256:0f: not found",
    "connect: permission denied",
    "lookup proxy: host not found",
]


def unpulled(story: Story, message: str, reason: str = "ErrImagePull", name: str = "ray-head") -> None:
    waits = container(name, waiting={"reason": reason, "message": message})
    story.put("Pod", story.pods["head"], conditions=[], containerStatuses=[waits])


@pytest.mark.parametrize("words", IMAGE_WORDS)
def test_an_image_that_comes_a_minute_late_ends_nothing(words: str) -> None:
    story = Story(phase="Initializing")
    unpulled(story, words)
    story.wait(60)
    assert story.verdict() is None
    story.put("Pod", story.pods["head"], containerStatuses=[container("ray-head")])
    story.wait(600)
    assert story.verdict() is None


@pytest.mark.parametrize("words", IMAGE_WORDS)
def test_an_image_that_is_refused_for_minutes_ends_the_run(words: str) -> None:
    """Older kubelets say why in every other message only."""
    story = Story(phase="Initializing")
    for _ in range(8):
        unpulled(story, words)
        story.wait(20)
        unpulled(story, "Back-off pulling image", "ImagePullBackOff")
        story.wait(20)
        assert (story.verdict() == "ImagePull") == (story.now - START > timedelta(seconds=5 + 300))


def test_an_image_name_that_can_never_work_ends_the_run_at_once() -> None:
    story = Story(phase="Initializing")
    unpulled(story, "couldn't parse image", "InvalidImageName")
    story.look()
    assert story.verdict() == "ImagePull"


@pytest.mark.parametrize("name", ["istio-proxy", "linkerd-init"])
def test_the_image_of_a_container_of_others_does_not_end_the_run(name: str) -> None:
    story = Story(phase="Initializing")
    unpulled(story, "manifest unknown", "InvalidImageName", name)
    story.wait(900)
    assert story.verdict() is None


def test_an_image_that_an_attempt_has_trained_with_is_only_out_of_reach() -> None:
    story = Story()
    story.wait(60)
    story.put("RayJob", story.job, jobStatus="", jobDeploymentStatus="Initializing")
    unpulled(story, "unauthorized: token has expired")
    story.wait(900)
    assert story.verdict() is None
    story.end(None, reason="PreRunningDeadlineExceeded")
    story.wait(60)
    assert (story.verdict(), story.attempt()["failureClass"]) == (None, "Infrastructure")
