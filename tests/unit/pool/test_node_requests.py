"""What the autoscaler's own scheduler makes of the request for data nodes: which pods it starts, and which it ends."""

from __future__ import annotations

from collections import Counter
from unittest.mock import MagicMock

import pytest
from ray._private.label_utils import validate_label_selector
from ray.autoscaler.v2.instance_manager.config import NodeTypeConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingReply, SchedulingRequest
from ray.autoscaler.v2.schema import AutoscalerInstance
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.autoscaler_pb2 import ClusterResourceConstraint, NodeState, NodeStatus
from ray.core.generated.common_pb2 import LabelSelectorOperator
from ray.core.generated.instance_manager_pb2 import Instance, NodeKind

from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR
from trainingrun_trainer.pool.autoscale import request_of

_CPUS = 2.0
_IDLE_TIMEOUT, _MOST = 60, 4
_NODE_LABEL = "ray.io/node-id"
# Of a group of one to four data nodes, by letter: nodes that work, and such that have been idle for long.
_WORKS, _IDLE = 0, 100


def node_id(letter: str) -> str:
    return letter * 56


def scheduled(wanted: int, leaving: str, nodes: dict[str, int]) -> SchedulingReply:
    """With `nodes` by the seconds for which they have been idle."""
    asked = request_of(wanted, _CPUS, [node_id(letter) for letter in leaving])
    requests = [
        ResourceRequestUtil.make(bundle, label_selectors=[_constraints(selector)])
        for bundle, selector in zip(asked["resources"], asked["label_selectors"], strict=True)
    ]
    # Ray Train's, which the coordinator sends along.
    requests.append(ResourceRequestUtil.make({"CPU": _CPUS}, label_selectors=[_constraints(TRAINER_SELECTOR)]))
    groups = {"data": (DATA_SELECTOR, _MOST), "trainer": (TRAINER_SELECTOR, 1)}
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs={
            name: NodeTypeConfig(
                name=name, resources={"CPU": _CPUS}, min_worker_nodes=1, max_worker_nodes=most, labels=labels
            )
            for name, (labels, most) in groups.items()
        },
        idle_timeout_s=_IDLE_TIMEOUT,
        cluster_resource_constraints=[
            ClusterResourceConstraint(resource_requests=ResourceRequestUtil.group_by_count(requests))
        ],
        current_instances=[
            *(_instance("data", letter, DATA_SELECTOR, idle) for letter, idle in nodes.items()),
            _instance("trainer", "f", TRAINER_SELECTOR, _WORKS),
        ],
    )
    return ResourceDemandScheduler(MagicMock()).schedule(request)


def _constraints(selector: dict[str, str]) -> list[tuple[str, int, list[str]]]:
    """As Ray's core reads a selector."""
    assert validate_label_selector(selector) is None
    found = []
    for key, value in selector.items():
        is_out = value.startswith("!in(")
        operator = "LABEL_OPERATOR_NOT_IN" if is_out else "LABEL_OPERATOR_IN"
        values = value.removeprefix("!in(").removesuffix(")").split(",") if is_out else [value]
        found.append((key, LabelSelectorOperator.Value(operator), values))
    return found


def _instance(group: str, letter: str, labels: dict[str, str], idle_seconds: int) -> AutoscalerInstance:
    return AutoscalerInstance(
        cloud_instance_id=letter,
        im_instance=Instance(
            instance_id=letter,
            instance_type=group,
            status=Instance.RAY_RUNNING,
            node_id=node_id(letter),
            node_kind=NodeKind.WORKER,
        ),
        ray_node=NodeState(
            node_id=bytes.fromhex(node_id(letter)),
            ray_node_type_name=group,
            available_resources={"CPU": _CPUS},
            total_resources={"CPU": _CPUS},
            labels={**labels, _NODE_LABEL: node_id(letter)},
            idle_duration_ms=1000 * idle_seconds,
            status=NodeStatus.IDLE if idle_seconds else NodeStatus.RUNNING,
        ),
    )


@pytest.mark.parametrize(
    ("wanted", "leaving", "nodes", "starts", "ends"),
    [
        (1, "", {"a": _WORKS}, 0, ""),
        (3, "", {"a": _WORKS}, 2, ""),
        # Also the oldest, if it is one of those that are let go of: the autoscaler would keep any that fit.
        (1, "bc", {"a": _WORKS, "b": _IDLE, "c": _IDLE}, 0, "bc"),
        (1, "ab", {"a": _IDLE, "b": _IDLE, "c": _WORKS}, 0, "ab"),
        # A node that works, or has something that is not taken yet, is waited for.
        (1, "bc", {"a": _WORKS, "b": _WORKS, "c": _IDLE}, 0, "c"),
        # What is wanted is not taken for being idle.
        (3, "", {"a": _WORKS, "b": _IDLE, "c": _IDLE}, 0, ""),
        (_MOST, "", {"a": _WORKS, "b": _WORKS}, 2, ""),
    ],
)
def test_the_group_becomes_as_large_as_was_asked_for(
    wanted: int, leaving: str, nodes: dict[str, int], starts: int, ends: str
) -> None:
    reply = scheduled(wanted, leaving, nodes)
    assert Counter({launch.instance_type: launch.count for launch in reply.to_launch}) == Counter(data=starts)
    assert sorted(each.ray_node_id for each in reply.to_terminate) == [node_id(letter) for letter in ends]
    assert not reply.infeasible_cluster_resource_constraints


def test_a_request_beyond_the_group_s_most_brings_nothing_at_all() -> None:
    reply = scheduled(_MOST + 1, "", {"a": _WORKS})
    assert reply.infeasible_cluster_resource_constraints and not reply.to_launch
