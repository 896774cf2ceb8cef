"""What NetworkPolicies allow, by the rules of their API: a connection needs the leave of both of its ends.

Only what our policies use is here; anything else is an error, so that no rule is overlooked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """A pod, or with no namespace an address outside of the pods' network. `ports` are its containers' named ones."""

    namespace: str | None
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""


def allows(policies: Iterable[Object], source: Endpoint, target: Endpoint, port: int, protocol: str = "TCP") -> bool:
    """Whether the source may connect to this port of the target."""
    held = list(policies)
    return _side(held, "Egress", source, target, target, port, protocol) and _side(
        held, "Ingress", target, source, target, port, protocol
    )


def _side(
    policies: list[Object], kind: str, own: Endpoint, other: Endpoint, target: Endpoint, port: int, protocol: str
) -> bool:
    """Whether one end lets the connection pass: no policy is about it, or a rule of one that is allows it."""
    about = [policy for policy in policies if kind in policy["spec"]["policyTypes"] and _is_about(policy, own)]
    rules = [(policy, rule) for policy in about for rule in policy["spec"].get(kind.lower(), [])]
    peers = "from" if kind == "Ingress" else "to"
    return not about or any(
        _peers_match(rule.get(peers), policy["metadata"]["namespace"], other)
        and _ports_match(rule.get("ports"), target, port, protocol)
        for policy, rule in rules
    )


def _is_about(policy: Object, pod: Endpoint) -> bool:
    return pod.namespace == policy["metadata"]["namespace"] and selects(policy["spec"]["podSelector"], pod.labels)


def _peers_match(peers: list[Object] | None, namespace: str, other: Endpoint) -> bool:
    return peers is None or any(_peer_matches(peer, namespace, other) for peer in peers)


def _peer_matches(peer: Object, namespace: str, other: Endpoint) -> bool:
    if "ipBlock" in peer:
        assert set(peer) == {"ipBlock"} and set(peer["ipBlock"]) == {"cidr"}, peer
        within = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return bool(other.address) and ipaddress.ip_address(other.address) in within
    assert set(peer) <= {"namespaceSelector", "podSelector"}, peer
    if other.namespace is None:
        return False
    selector = peer.get("namespaceSelector")
    # The label that the API server gives to every namespace.
    own = {"kubernetes.io/metadata.name": other.namespace}
    is_there = other.namespace == namespace if selector is None else selects(selector, own)
    return is_there and selects(peer.get("podSelector", {}), other.labels)


def _ports_match(ports: list[Object] | None, target: Endpoint, port: int, protocol: str) -> bool:
    if ports is None:
        return True
    for rule in ports:
        assert set(rule) <= {"protocol", "port"}, rule
        number = target.ports.get(rule["port"]) if isinstance(rule["port"], str) else rule["port"]
        if number == port and rule.get("protocol", "TCP") == protocol:
            return True
    return False


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a selector of Kubernetes finds what has these labels."""
    assert set(selector) <= {"matchLabels", "matchExpressions"}, selector
    expressions = selector.get("matchExpressions", [])
    assert {rule["operator"] for rule in expressions} <= {"Exists", "In"}, selector
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        rule["key"] in labels and (rule["operator"] == "Exists" or labels[rule["key"]] in rule["values"])
        for rule in expressions
    )
