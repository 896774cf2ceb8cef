"""The program that serves a claim's files, as the process that it is, and the pod around it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun.transfer import pod, serving
from trainingrun.transfer.locations import ClaimFolder, InvalidLocation, UriFolder, location_of
from trainingrun.transfer.places import TransferError, checked_name


def answers(root: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the program says to requests that carry no bytes, but that it lives."""
    text = "".join(f"{json.dumps(request)}\n" for request in requests)
    command = [sys.executable, serving.__file__, str(root), str(root.parent / "served")]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60)
    return [message for line in done.stdout.splitlines() if (message := json.loads(line))]


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    folder = tmp_path / "claim"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("a,b")
    (tmp_path / "secret").write_text("not on the volume")
    return folder


@pytest.mark.parametrize("name", ["../secret", "data/../../secret", "/etc/passwd"])
def test_no_name_leads_out_of_the_volume(claim: Path, name: str) -> None:
    (answer,) = answers(claim, {"do": "digest", "folder": "", "files": [name]})
    assert answer["error"] == "it is not on the volume"


def test_an_error_ends_a_request_and_not_the_program(claim: Path) -> None:
    missing, found, done = answers(
        claim,
        {"do": "digest", "folder": "data", "files": ["b.csv"]},
        {"do": "digest", "folder": "data", "files": ["a.csv"]},
    )
    assert missing == {"error": "No such file or directory", "file": str(claim / "data" / "b.csv")}
    assert (found["sha256"], done) == (hashlib.sha256(b"a,b").hexdigest(), {"done": True})


def test_files_behind_links_are_listed_once_and_parts_are_not(claim: Path) -> None:
    (claim / "data" / "again").symlink_to(claim / "data")
    (claim / "data" / f"b.csv{serving.PART}").write_text("x")
    assert answers(claim, {"do": "list", "folder": "data"}) == [{"file": "a.csv", "size": 3}, {"done": True}]
    assert answers(claim, {"do": "list", "folder": "none"}) == [{"missing": True}]


def test_a_link_to_nowhere_is_an_error_and_no_file_less(claim: Path) -> None:
    (claim / "data" / "b.csv").symlink_to(claim / "gone")
    assert "error" in answers(claim, {"do": "list", "folder": "data"})[-1]


def test_a_file_is_never_replaced(claim: Path) -> None:
    (claim / "data" / f"a.csv{serving.PART}").write_text("new")
    digest = hashlib.sha256(b"new").hexdigest()
    (answer,) = answers(claim, {"do": "place", "folder": "data", "file": "a.csv", "sha256": digest})
    assert answer["error"] == "File exists" and (claim / "data" / "a.csv").read_text() == "a,b"


def test_the_pod_ends_once_nobody_has_been_served_for_a_while(
    claim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "served"
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        age = time.time() - serving.IDLE_SECONDS - (1 if len(slept) == 3 else -30)
        os.utime(served, (age, age))

    monkeypatch.setattr(serving.time, "sleep", sleep)
    serving.wait(str(served))
    assert len(slept) == 3
    answers(claim, {"do": "list", "folder": ""})
    assert time.time() - served.stat().st_mtime < serving.IDLE_SECONDS


@pytest.mark.parametrize("read_only", [True, False])
def test_the_pod_is_restricted_and_asks_for_little(read_only: bool) -> None:
    image = pod.Image("trainer:1", "Always", ["registry"], "vision")
    body = pod.pod("x", "models", image, read_only=read_only, fixed_ids=read_only)
    spec = body["spec"]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("vision", False)
    assert ("runAsUser" in spec["securityContext"], "fsGroup" in spec["securityContext"]) == (read_only, read_only)
    (container,) = spec["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["imagePullPolicy"] == "Always" and spec["imagePullSecrets"] == [{"name": "registry"}]
    # An address may be no longer than what stands between here and the API server takes.
    assert sum(map(len, pod.serving_command())) < 500
    assert yaml.safe_load(yaml.safe_dump(body)) == body


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models", ClaimFolder("models", "digits")),
        ("models:", ClaimFolder("models", "digits")),
        ("models:/data//a/", ClaimFolder("models", "data/a")),
        ("pvc://models/uid/step-1", ClaimFolder("models", "uid/step-1")),
        ("s3://bucket/data", UriFolder("s3://bucket/data")),
    ],
)
def test_a_location_is_a_folder_of_a_claim_or_a_uri(text: str, expected: object) -> None:
    assert location_of(text, "digits") == expected


@pytest.mark.parametrize("text", ["models:../x", "pvc://models/a/../../x", "Models", "", ":x", "a b:c"])
def test_others_are_refused(text: str) -> None:
    with pytest.raises(InvalidLocation, match="allowed: CLAIM"):
        location_of(text, "digits")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "a\\b"])
def test_a_name_from_a_pod_does_not_lead_out_of_the_folder_here(name: str) -> None:
    with pytest.raises(TransferError):
        checked_name(name)
