"""`submit --code`: a folder goes with a run, in a ConfigMap that is the run's."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
import yaml
from api_double import ApiDouble, Fault, forbidden, status
from command_line import Run

from trainingrun.archive import packing

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
MINIMAL = str(SAMPLES / "minimal.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "my_model.py").write_text("def build(): ...")
    (tmp_path / "code" / ".env").write_text("TOKEN=secret")
    return tmp_path / "code"


def test_a_folder_goes_with_the_run_and_belongs_to_it(cli: Run, double: ApiDouble, folder: Path) -> None:
    result = cli("submit", "-f", MINIMAL, "--code", str(folder))
    assert (result.exit_code, result.stdout) == (0, "mnist submitted\n")
    (body,) = (stored for (kind, _, _), stored in double.objects.items() if kind == "configmaps")
    data = base64.b64decode(body["binaryData"]["code.tar.gz"])
    digest = hashlib.sha256(data).hexdigest()
    assert tarfile.open(fileobj=io.BytesIO(data)).getnames() == ["my_model.py"]
    assert body["immutable"] is True
    assert body["metadata"]["name"] == f"mnist-code-{digest[:12]}"
    assert body["metadata"]["ownerReferences"] == [
        {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "name": "mnist", "uid": "uid-of-mnist"}
    ]
    run = double.objects["trainingruns", "training", "mnist"]
    reference = {"name": body["metadata"]["name"], "key": "code.tar.gz"}
    assert run["spec"].pop("code") == {"configMapKeyRef": reference, "sha256": digest}
    assert run["spec"] == yaml.safe_load(Path(MINIMAL).read_text())["spec"]
    assert f"code: 1 files, {len(data):,} bytes packed, sha256 {digest}\n" in result.stderr
    assert "code: left out, as they may hold secrets: .env;" in result.stderr


def test_the_config_map_is_checked_before_there_is_a_run_that_waits_for_it(
    cli: Run, double: ApiDouble, folder: Path
) -> None:
    assert cli("submit", "-f", MINIMAL, "--code", str(folder)).exit_code == 0
    sent = [(request.path.split("/")[-2], request.query.get("dryRun")) for request in double.named("PATCH")]
    assert sent == [("configmaps", "All"), ("trainingruns", None), ("configmaps", None)]
    double.requests.clear()
    double.objects.clear()
    double.faults.append(Fault("PATCH", "configmaps", 403, forbidden("patch", "configmaps")))
    refused = cli("submit", "-f", MINIMAL, "--code", str(folder))
    assert refused.exit_code == 4
    assert "You may not patch configmaps in namespace training." in refused.stderr
    assert double.objects == {}


def test_a_dry_run_makes_no_config_map(cli: Run, double: ApiDouble, folder: Path) -> None:
    assert cli("submit", "-f", MINIMAL, "--code", str(folder), "--dry-run").exit_code == 0
    assert [request.query["dryRun"] for request in double.named("PATCH")] == ["All", "All"]
    assert double.objects == {}


def test_code_that_could_not_be_sent_is_sent_by_the_same_command(cli: Run, double: ApiDouble, folder: Path) -> None:
    def fail_the_third(request: object) -> None:
        double.faults[:] = [Fault("PATCH", "configmaps", 500, status(500, "", "etcd is away."))] * (
            len(double.named("PATCH")) == 3
        )

    double.before = fail_the_third
    result = cli("submit", "-f", MINIMAL, "--code", str(folder))
    assert result.exit_code == 4
    assert "mnist is submitted and waits for its code, which could not be: etcd is away. Run the same" in result.stderr
    double.before = lambda request: None
    double.faults.clear()
    assert cli("submit", "-f", MINIMAL, "--code", str(folder)).exit_code == 0
    assert len(double.objects) == 2


def test_every_run_of_the_files_has_a_config_map_of_its_own(cli: Run, double: ApiDouble, folder: Path) -> None:
    files = ("-f", MINIMAL, "-f", str(SAMPLES / "s3.yaml"))
    assert cli("submit", *files, "--code", str(folder)).exit_code == 0
    names = sorted(name.partition("-code-")[0] for kind, _, name in double.objects if kind == "configmaps")
    assert names == ["mnist", "on-s3"]


def test_what_cannot_be_packed_is_refused_before_anything_is_sent(
    cli: Run, double: ApiDouble, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = cli("submit", "-f", str(SAMPLES / "own-code.yaml"), "--code", str(folder))
    assert twice.exit_code == 2
    assert "own-code has spec.code in the file already: leave that or --code out." in twice.stderr
    absent = cli("submit", "-f", MINIMAL, "--code", str(folder / "absent"))
    assert (absent.exit_code, absent.stderr.count("\n")) == (12, 1)
    assert absent.stderr.startswith(f"--code {folder}/absent: there is no such folder; expected ")
    monkeypatch.setattr(packing, "MAX_PACKED_BYTES", 10)
    large = cli("submit", "-f", MINIMAL, "--code", str(folder))
    assert large.exit_code == 12
    assert "allowed: at most 10; the largest files are my_model.py (16 bytes)" in large.stderr
    assert double.requests == []
