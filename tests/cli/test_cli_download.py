"""Checkpoints come to this machine whole, or the command says why not; no pod stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_double import ApiDouble, Fault, forbidden, status
from command_line import Run
from stored_checkpoints import BEFORE, FOLDER, LAST, content, mnist, save, save_best

from pod_exec import PodExec

PART = ".trainingrun-part"


@pytest.fixture(autouse=True)
def claim(double: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The claim's folder; commands run in an empty one."""
    double.pod_exec = PodExec(tmp_path / "claim")
    double.put("trainingruns", mnist(best={"uri": f"pvc://models/{FOLDER}/best", "step": 60}))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "claim"


def files_in(folder: Path | str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_the_newest_checkpoint_comes_with_all_its_files(cli: Run, double: ApiDouble, claim: Path) -> None:
    saved = save(claim, LAST)
    result = cli("download", "mnist")
    assert (result.exit_code, result.stdout) == (0, f"mnist-{LAST}\n")
    assert files_in(f"mnist-{LAST}") == saved
    assert "4 files, 0.3 MB, all with the digests that they must have" in result.stderr
    assert not [key for key in double.objects if key[0] == "pods"]


def test_the_pod_may_do_nothing_but_read_and_goes_with_the_run(cli: Run, double: ApiDouble, claim: Path) -> None:
    save(claim, LAST)
    cli("download", "mnist")
    (created,) = double.named("POST", "/pods")
    spec, metadata = created.body["spec"], created.body["metadata"]
    (container,) = spec["containers"]
    assert container["image"] == "trainer:1" and spec["imagePullSecrets"] == [{"name": "registry"}]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["claim"]["readOnly"] is True
    assert spec["automountServiceAccountToken"] is False and spec["activeDeadlineSeconds"] <= 6 * 3600
    assert spec["securityContext"]["runAsUser"] == 1000 and spec["securityContext"]["runAsNonRoot"] is True
    assert metadata["ownerReferences"][0]["uid"] == "uid-of-mnist"
    # The operator must not take it for a pod of the run.
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "trainingrun"


def test_the_best_one_is_the_copy_of_its_state(cli: Run, claim: Path) -> None:
    saved = save_best(claim, BEFORE)
    assert cli("download", "mnist", "--best", "model").exit_code == 0
    assert files_in("model") == saved


def test_a_step_names_a_checkpoint_and_the_newest_writer_of_it_counts(cli: Run, claim: Path) -> None:
    save(claim, LAST)
    save(claim, BEFORE)
    newer = save(claim, BEFORE.replace("a0g1", "a1g1"))
    assert cli("download", "mnist", "--step", "60", "model").exit_code == 0
    assert files_in("model") == newer
    result = cli("download", "mnist", "--step", "61", "other")
    assert result.exit_code == 4 and "has no checkpoint of step 61; there are steps 60, 120." in result.stderr


@pytest.mark.parametrize("cuts", [[200_000, 120_000], [0], [1, 1, 1]])
def test_what_is_cut_off_goes_on_where_it_was(cli: Run, double: ApiDouble, claim: Path, cuts: list[int]) -> None:
    saved = save(claim, LAST)
    assert double.pod_exec is not None
    double.pod_exec.cuts += [1_000_000, 1_000_000, *cuts]
    result = cli("download", "mnist", "model")
    assert (result.exit_code, files_in("model")) == (0, saved)
    assert "trying again" in result.stderr


def test_a_connection_that_brings_nothing_is_given_up(cli: Run, double: ApiDouble, claim: Path) -> None:
    save(claim, LAST)
    assert double.pod_exec is not None
    double.pod_exec.cuts += [0] * 5
    result = cli("download", "mnist", "model")
    assert result.exit_code == 4
    assert "it was tried 5 times. The same command goes on from here." in result.stderr
    assert not [key for key in double.objects if key[0] == "pods"]


@pytest.mark.parametrize("come", [content(f"{LAST}/state.pt", 300_000)[:100_000], b"of another file", b"x" * 400_000])
def test_what_another_command_has_left_is_used_if_it_is_right(cli: Run, claim: Path, come: bytes) -> None:
    saved = save(claim, LAST)
    Path("model").mkdir()
    Path("model", f"state.pt{PART}").write_bytes(come)
    assert cli("download", "mnist", "model").exit_code == 0
    assert files_in("model") == saved


def test_what_is_there_is_not_fetched_again(cli: Run, double: ApiDouble, claim: Path) -> None:
    save(claim, LAST)
    cli("download", "mnist", "model")
    result = cli("download", "mnist", "model")
    assert (result.exit_code, "4 files (4 of them were there already)" in result.stderr) == (0, True)


def test_a_different_file_is_never_replaced(cli: Run, claim: Path) -> None:
    save(claim, LAST)
    Path("model").mkdir()
    Path("model", "state.pt").write_bytes(b"mine")
    result = cli("download", "mnist", "model")
    assert result.exit_code == 4
    assert "model has a different file already: state.pt. Nothing was copied" in result.stderr
    assert files_in("model") == {"state.pt": b"mine"}


def test_a_damaged_file_gets_no_name(cli: Run, claim: Path) -> None:
    save(claim, LAST)
    state = claim / FOLDER / LAST / "state.pt"
    state.write_bytes(b"!" + state.read_bytes()[1:])
    result = cli("download", "mnist", "model")
    assert result.exit_code == 4
    assert "state.pt does not match the digest that it was saved with: it is damaged" in result.stderr
    assert "state.pt" not in files_in("model") and "manifest.json" not in files_in("model")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("manifest.json", "is not whole: neither manifest.json nor metrics.json is there"),
        ("state.pt", "is damaged: state.pt has nothing, not 300000 bytes"),
    ],
)
def test_a_torn_checkpoint_is_told(cli: Run, claim: Path, broken: str, words: str) -> None:
    save(claim, LAST)
    (claim / FOLDER / LAST / broken).unlink()
    result = cli("download", "mnist", "model")
    assert result.exit_code == 4 and words in result.stderr
    assert not Path("model").exists()


def test_a_checkpoint_that_is_gone_is_told(cli: Run, claim: Path) -> None:
    claim.mkdir()
    result = cli("download", "mnist")
    assert result.exit_code == 4 and f"{LAST} is not there (any more)" in result.stderr


def test_a_run_without_a_checkpoint_needs_no_pod(cli: Run, double: ApiDouble) -> None:
    body = mnist()
    body["status"]["outputs"] = {"folderURI": f"pvc://models/{FOLDER}"}
    double.put("trainingruns", body)
    assert "mnist has reported no checkpoint yet." in cli("download", "mnist").stderr
    assert "it needs spec.storage.checkpoints.best" in cli("download", "mnist", "--best").stderr
    assert double.named("POST") == []


def waiting(reason: str, message: str) -> dict[str, object]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "files", "state": state}]}


def unschedulable(message: str) -> dict[str, object]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def ended(message: str) -> dict[str, object]:
    state = {"terminated": {"exitCode": 128, "reason": "StartError", "message": message}}
    return {"phase": "Failed", "containerStatuses": [{"name": "files", "state": state}]}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (waiting("ImagePullBackOff", "no such image."), "cannot start: ImagePullBackOff: no such image."),
        (unschedulable('persistentvolumeclaim "models" not found'), 'persistentvolumeclaim "models" not found.'),
        (ended('exec: "python3": not found'), 'has ended: StartError: exec: "python3": not found.'),
    ],
)
def test_a_pod_that_does_not_start_is_told_and_deleted(
    cli: Run, double: ApiDouble, told: dict[str, object], words: str
) -> None:
    double.started = lambda body: told
    result = cli("download", "mnist")
    assert (result.exit_code, words in result.stderr) == (4, True)
    assert not [key for key in double.objects if key[0] == "pods"]


def test_what_keeps_a_volume_from_a_pod_is_told_by_its_event(
    cli: Run, double: ApiDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainingrun.transfer import pod_host

    monkeypatch.setattr(pod_host, "PATIENCE_SECONDS", 0.05)
    double.started = lambda body: {"phase": "Pending"}
    event = {"reason": "FailedAttachVolume", "message": "Multi-Attach error for volume", "type": "Warning"}
    double.put("events", {"metadata": {"name": "e", "namespace": "training"}, **event})
    result = cli("download", "mnist")
    assert "cannot start within" in result.stderr and "FailedAttachVolume: Multi-Attach error" in result.stderr


def test_who_may_not_run_commands_in_pods_is_told_the_verbs(cli: Run, double: ApiDouble, claim: Path) -> None:
    save(claim, LAST)
    double.faults.append(Fault("GET", "/exec", 403, forbidden("create", "pods")))
    result = cli("download", "mnist")
    assert result.exit_code == 4
    assert "create, get, list and delete on pods, and get and create on pods/exec" in result.stderr
    assert not [key for key in double.objects if key[0] == "pods"]


def test_a_policy_that_refuses_the_pod_is_told_in_its_own_words(cli: Run, double: ApiDouble) -> None:
    words = 'pods "trainingrun-files-1" is forbidden: exceeded quota: small, requested: pods=1'
    double.faults.append(Fault("POST", "/pods", 403, status(403, "Forbidden", words)))
    result = cli("download", "mnist")
    assert result.exit_code == 4
    assert f"Error: {words}." in result.stderr and "Ask" not in result.stderr


def test_pods_that_killed_commands_have_left_are_removed_once_they_have_ended(
    cli: Run, double: ApiDouble, claim: Path
) -> None:
    save(claim, LAST)
    for name, phase in (("ended", "Succeeded"), ("at-work", "Running")):
        labels = {"trainingrun.dev/transfer": "download"}
        metadata = {"name": name, "namespace": "training", "uid": name, "labels": labels}
        double.put("pods", {"metadata": metadata, "status": {"phase": phase}})
    assert cli("download", "mnist").exit_code == 0
    assert [key[2] for key in double.objects if key[0] == "pods"] == ["at-work"]
