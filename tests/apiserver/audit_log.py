"""Who asked the API server for what, and what it answered: the audit log as requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raw_client import Object

# (API group, resource or resource/subresource, verb), as a role names it.
Permission = tuple[str, str, str]


@dataclass(frozen=True)
class Request:
    """One request for an object or a collection."""

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int
    reason: str

    @property
    def permission(self) -> Permission:
        return self.group, self.resource, self.verb


def requests(log: Path, user: str) -> Iterator[Request]:
    """What a user has asked for since the log began. The last line may be half written."""
    for line in log.read_text().split("\n")[:-1]:
        entry = json.loads(line)
        target = entry.get("objectRef")
        if target is None or entry["user"]["username"] != user:
            continue
        parts = [target["resource"], *([target["subresource"]] if "subresource" in target else [])]
        yield Request(
            user=user,
            verb=entry["verb"],
            group=target.get("apiGroup", ""),
            resource="/".join(parts),
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            code=entry.get("responseStatus", {}).get("code", 0),
            reason=entry.get("responseStatus", {}).get("reason", ""),
        )


def granted(roles: Iterable[Object]) -> set[Permission]:
    """Everything that these roles allow."""
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
