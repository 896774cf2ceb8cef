"""What may happen to the run and around it: causes of its end, and what only looks like one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from verdict_world import EXITS, GROUPS, NAME, START, World, oom, refused

from trainingrun.observed import Pod

Event = Callable[[World, int], None]


def stranger_elsewhere(world: World, variant: int) -> None:
    """A copy of one of its pods in another namespace tells of trouble."""
    world.strangers.append(
        _in_trouble(replace(world.pod(GROUPS[variant % 3]), namespace="other", name=f"x{variant}"), variant)
    )


def stranger_beside(world: World, variant: int) -> None:
    """A pod with all its labels that no RayCluster of its own made tells of trouble."""
    owner = ("", "") if variant % 2 else ("another", "another")
    pod = replace(world.pod(GROUPS[variant % 3]), name=f"y{variant}", cluster_uid=owner[0], cluster_name=owner[1])
    world.strangers.append(_in_trouble(pod, variant))


def copied_ray_job(world: World, variant: int) -> None:
    """A copy of its RayJob, in another namespace or by another name, has ended."""
    if world.job is None:
        return
    where = {"namespace": "other"} if variant % 2 else {"name": "copy"}
    ended = {"deployment_status": "Failed", "job_status": "FAILED", "exit_code": 13}
    world.strangers.append(replace(world.job, uid=f"copy-{variant}", attempt=variant, **where, **ended))


def side_container(world: World, variant: int) -> None:
    """A container that others put into a pod is killed for memory, or its image is not to be had."""
    group, name = GROUPS[variant % 3], ("istio-proxy", "wait-gcs-ready", "autoscaler")[variant % 3]
    fields = (
        {"terminations": oom(name, world.time)}
        if variant < 6
        else {"waiting": refused("istio-proxy", "InvalidImageName")}
    )
    _change(world, group, **fields)


def memory(world: World, variant: int) -> None:
    """Ray's container of a pod is killed for memory, and starts again; of a data pod, that alone ends nothing."""
    group = GROUPS[variant % 3]
    _change(world, group, terminations=oom("ray-head" if group == "head" else "ray-worker", world.time))
    # A head is remembered by how it ended. And the kubelet's clock may be half a minute ahead of KubeRay's.
    seconds = () if group == "head" else (330,)
    world.may_end_by("OutOfMemory", *seconds, at=world.time - timedelta(seconds=30))


def image(world: World, variant: int) -> None:
    """A pod cannot pull the run's image, or can again. The attempt trains already, or does not yet."""
    if world.image_since is not None and variant % 2:
        world.healed_unseen = (world.late_pods, world.image_since)
        world.image_since = None
        world.never_mind("ImagePull")
        _change(world, "trainer", waiting=())
    elif world.image_since is None and world.job is not None and world.job.deployment_status == "Initializing":
        world.image_since = world.time
        _change(world, "trainer", waiting=refused(reason="InvalidImageName" if variant == 8 else "ErrImagePull"))
        late = timedelta() if variant == 8 else timedelta(minutes=5)
        view, since = world.healed_unseen
        # Whoever looks at the same old pods all the while cannot know that it had healed.
        is_unseen = view is not None and view is world.late_pods and since is not None
        world.may_end_by("ImagePull", at=(since if is_unseen else world.time) + late)


def driver_ends(world: World, variant: int) -> None:
    """The driver ends, for the program's own reason or because a pod was taken, which is seen later."""
    if world.job is None or world.job.deployment_status == "Failed":
        return
    code = sorted(EXITS)[variant % len(EXITS)]
    if variant >= len(EXITS) and code in (13, 14, 33):
        world.late_pods = tuple(world.pods.values())
        world.pods["trainer"] = replace(world.pods["trainer"], disrupted="PreemptionByScheduler: taken")
    else:
        world.may_end_by(EXITS[code])
    world.ended = world.time
    ended = {"deployment_status": "Failed", "job_status": "FAILED", "reason": "AppFailed", "ended": world.time}
    world.job = replace(
        world.job, exit_code=code, message=f"failed with exit code {code}", deleting=variant % 3 == 0, **ended
    )


def ray_job_goes(world: World, variant: int) -> None:
    """The RayJob is deleted by somebody, or only loses the label by which it is seen."""
    if world.job is None:
        return
    if variant % 3:
        world.is_job_hidden = True
        return
    if not world.run.status.get("suspected", {}).get("hasEnded"):
        world.may_end_by("Infrastructure", at=world.ended)  # that it has ended is known to nobody
    world.job = None


def two_heads(world: World, variant: int) -> None:
    """Two heads are seen: the old one has long gone, or KubeRay has really made two."""
    second = replace(world.pods["head"], name=f"{NAME}-c-head-2", uid="second")
    if variant % 2:
        world.ghost = replace(
            world.pods["head"], name=f"{NAME}-c-head-0", uid="zero", created=START - timedelta(minutes=1)
        )
    else:
        world.pods["second"] = second
        world.may_end_by("Infrastructure")


def head_replaced(world: World, variant: int) -> None:
    """The head is lost and replaced, which is more than a run without retries allows."""
    world.pods["head"] = replace(
        world.pods["head"], name=f"{NAME}-c-head-{variant + 3}", uid=f"head-{variant}", terminations=()
    )
    world.may_end_by("HeadLost")


def trains(world: World, variant: int) -> None:
    """The driver runs."""
    if world.job is not None and world.job.deployment_status == "Initializing":
        world.job = replace(world.job, deployment_status="Running", job_status="RUNNING")


def clock_ahead(world: World, variant: int) -> None:
    """One look by a clock that is ahead."""
    world.look(timedelta(seconds=(60, 3600, 86_400)[variant % 3]))


def pods_late(world: World, variant: int) -> None:
    """The cache shows pods as they are now, and no change of them any more."""
    world.late_pods = tuple(world.pods.values())


def all_seen(world: World, variant: int) -> None:
    """The cache has caught up."""
    world.seen(afresh=True)


def time_passes(world: World, variant: int) -> None:
    """Nothing happens for a while."""
    world.time += timedelta(seconds=(1, 5, 11, 31, 120, 301, 700, 1800, 3000)[variant])


EVENTS: tuple[Event, ...] = (
    stranger_elsewhere,
    stranger_beside,
    copied_ray_job,
    side_container,
    memory,
    image,
    driver_ends,
    ray_job_goes,
    two_heads,
    head_replaced,
    trains,
    clock_ahead,
    pods_late,
    all_seen,
    time_passes,
    time_passes,
)
VARIANTS = 9


def _in_trouble(pod: Pod, variant: int) -> Pod:
    trouble = (
        {"terminations": oom("ray-worker", pod.created)},
        {"waiting": refused(reason="InvalidImageName"), "ready": False},
        {"status_reason": "Evicted", "phase": "Failed"},
    )
    return replace(pod, uid=pod.name, **trouble[variant // 3])


def _change(world: World, group: str, **fields: object) -> None:
    world.pods[group] = replace(world.pods[group], **fields)  # type: ignore[arg-type]
