"""Files go to a claim or a store whole, or the command says why not; no pod stays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from api_double import ApiDouble
from command_line import Run
from stored_checkpoints import content, mnist

from pod_exec import PodExec

if TYPE_CHECKING:
    import s3fs

DATA = {"train/part-0.parquet": content("0", 400_000), "train/part-1.parquet": content("1", 50), "train/none.csv": b""}
PART = ".trainingrun-part"


@pytest.fixture(autouse=True)
def claim(double: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The claim's folder; commands run where there is a folder `digits`."""
    double.pod_exec = PodExec(tmp_path / "claim")
    double.pod_exec.folder.mkdir()
    double.put("trainingruns", mnist())
    for name, data in DATA.items():
        path = tmp_path / "digits" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return double.pod_exec.folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_arrive_under_the_folder_s_name_or_another(cli: Run, double: ApiDouble, claim: Path) -> None:
    result = cli("upload", "digits", "models")
    assert result.exit_code == 0 and files_in(claim / "digits") == DATA
    assert "models:digits: 3 files, 0.4 MB, all with the digests that they have here" in result.stderr
    assert "A run that mounts claim models finds them at MOUNT_PATH/digits." in result.stderr
    assert cli("upload", "digits/train", "models:data/sets/a").exit_code == 0
    assert set(files_in(claim / "data/sets/a")) == {"part-0.parquet", "part-1.parquet", "none.csv"}
    assert not [key for key in double.objects if key[0] == "pods"]


def test_the_pod_may_write_and_has_the_image_of_a_run_that_uses_the_claim(cli: Run, double: ApiDouble) -> None:
    cli("upload", "digits", "models")
    cli("upload", "digits", "models", "--image", "python:3.12")
    first, second = (request.body["spec"]["containers"][0] for request in double.named("POST", "/pods"))
    assert (first["image"], second["image"]) == ("trainer:1", "python:3.12")
    assert [mount["readOnly"] for mount in first["volumeMounts"] if mount["name"] == "claim"] == [False]


def test_a_claim_for_data_alone_counts_and_the_cluster_may_choose_the_user(cli: Run, double: ApiDouble) -> None:
    body = mnist()
    body["metadata"]["name"] = "flowers"
    volume = {"name": "pictures", "persistentVolumeClaim": {"claimName": "pictures"}}
    body["spec"] |= {"image": "flowers:2", "volumes": [volume], "serviceAccountName": "vision"}
    double.put("trainingruns", body)
    assert cli("upload", "digits", "pictures", "--no-fixed-ids").exit_code == 0
    (created,) = double.named("POST", "/pods")
    spec = created.body["spec"]
    assert (spec["containers"][0]["image"], spec["serviceAccountName"]) == ("flowers:2", "vision")
    assert spec["securityContext"]["runAsNonRoot"] is True and "runAsUser" not in spec["securityContext"]


def test_a_run_has_the_claim_and_the_image_of_its_runtime(cli: Run, double: ApiDouble) -> None:
    body = mnist()
    body["metadata"]["name"] = "flowers"
    given = {"image": "given:1", "storage": {"persistentVolumeClaim": {"claimName": "pictures", "mountPath": "/mnt/p"}}}
    body["spec"] = {"runtimeRef": {"name": "gpu"}}
    body["status"] = {"runtime": {"template": given}}
    double.put("trainingruns", body)
    assert cli("upload", "digits", "pictures").exit_code == 0
    (created,) = double.named("POST", "/pods")
    assert created.body["spec"]["containers"][0]["image"] == "given:1"


def test_without_an_image_it_is_said_where_one_comes_from(cli: Run, double: ApiDouble) -> None:
    result = cli("upload", "digits", "other-claim")
    assert result.exit_code == 4
    assert "no run that uses claim other-claim" in result.stderr and "--image" in result.stderr
    assert double.named("POST") == []


@pytest.mark.parametrize("cut", [400, 4_000])
def test_what_is_cut_off_goes_on_where_it_was(cli: Run, double: ApiDouble, claim: Path, cut: int) -> None:
    Path("digits/train/large").write_bytes(content("large", 40 << 20 >> 3))
    assert double.pod_exec is not None
    double.pod_exec.cuts += [10_000, cut // 4, 10_000, cut]
    result = cli("upload", "digits", "models")
    assert result.exit_code == 0
    assert files_in(claim / "digits") == files_in(Path("digits"))
    assert "trying again" in result.stderr


@pytest.mark.parametrize("come", [DATA["train/part-0.parquet"][:100_000], b"of another", b"x" * 500_000])
def test_what_another_command_has_left_is_used_if_it_is_right(cli: Run, claim: Path, come: bytes) -> None:
    part = claim / "digits" / "train" / f"part-0.parquet{PART}"
    part.parent.mkdir(parents=True)
    part.write_bytes(come)
    assert cli("upload", "digits", "models").exit_code == 0
    assert files_in(claim / "digits") == DATA


def test_the_same_files_are_left_and_a_different_one_is_never_replaced(cli: Run, claim: Path) -> None:
    cli("upload", "digits", "models")
    assert "(3 of them were there already)" in cli("upload", "digits", "models").stderr
    Path("digits/train/part-1.parquet").write_bytes(content("changed", 50))
    Path("digits/new.csv").write_bytes(b"a,b")
    result = cli("upload", "digits", "models")
    assert result.exit_code == 4
    assert "models:digits has a different file already: train/part-1.parquet. Nothing was copied" in result.stderr
    assert files_in(claim / "digits") == DATA


def test_an_error_of_the_volume_is_told(cli: Run, claim: Path) -> None:
    (claim / "digits").write_bytes(b"a file")
    result = cli("upload", "digits", "models")
    assert result.exit_code == 4 and "Not a directory" in result.stderr


@pytest.mark.parametrize("destination", ["models:../up", "Models:x", ":x"])
def test_a_destination_that_is_none_is_wrong_usage(cli: Run, destination: str) -> None:
    result = cli("upload", "digits", destination)
    assert result.exit_code == 2 and "allowed: CLAIM, CLAIM:PATH or a URI" in result.stderr


def test_a_folder_without_files_is_refused(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty holds no files." in cli("upload", "empty", "models").stderr


def test_a_store_takes_and_gives_files_too(cli: Run, double: ApiDouble, store: s3fs.S3FileSystem) -> None:
    from stored_checkpoints import FOLDER, LAST, save

    saved = save(Path("runs"), LAST)
    result = cli("upload", f"runs/{FOLDER}", f"s3://bucket/runs/{FOLDER}")
    assert (result.exit_code, double.requests) == (0, [])
    folder = f"s3://bucket/runs/{FOLDER}"
    body = mnist()
    body["status"]["outputs"] = {"folderURI": folder, "last": {"uri": f"{folder}/{LAST}"}}
    double.put("trainingruns", body)
    assert cli("download", "mnist", "--step", "120", "model").exit_code == 0
    assert files_in(Path("model")) == saved
    store.pipe_file(f"bucket/runs/{FOLDER}/{LAST}/state.pt", b"changed")
    assert "has a different file already" in cli("upload", f"runs/{FOLDER}", folder).stderr
    assert double.named("POST") == []


@pytest.mark.parametrize(("scheme", "extra"), [("gs", "gcs"), ("s3", "s3"), ("abfs", "azure")])
def test_a_scheme_without_its_client_names_what_to_install(
    cli: Run, monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str
) -> None:
    import fsspec

    def missing(uri: str) -> None:
        raise ImportError("Install its client")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    result = cli("upload", "digits", f"{scheme}://bucket/data")
    assert result.exit_code == 4 and f"{scheme}:// needs a client that is not installed" in result.stderr
    assert f"pip install 'trainingrun[{extra}]'" in result.stderr
