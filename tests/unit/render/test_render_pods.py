"""The pods of a run: what they mount, what they say of themselves, and what an author may change."""

from __future__ import annotations

from typing import Any

import pytest
from rendered_runs import SETTINGS, WITH_ENDPOINT, ray_container, run_object, templates, variables_of

from trainingrun.render import RenderSettings, ray_job
from trainingrun.spec.patches import PodPatch

SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"


def pods(settings: RenderSettings = SETTINGS, **spec: Any) -> dict[str, dict[str, Any]]:
    return templates(ray_job(run_object(**spec), 0, settings))


def mounts(template: dict[str, Any]) -> dict[str, str]:
    return {mount["name"]: mount["mountPath"] for mount in ray_container(template)["volumeMounts"]}


def volume(template: dict[str, Any], name: str) -> dict[str, Any]:
    return next(volume for volume in template["spec"]["volumes"] if volume["name"] == name)


@pytest.mark.parametrize("group", ["head", "data", "trainer"])
@pytest.mark.parametrize(("spec", "seconds"), [({}, 60), ({"terminationGracePeriodSeconds": 300}, 300)])
def test_every_pod_has_time_and_a_hook_to_save_a_checkpoint(group, spec, seconds):
    template = pods(**spec)[group]
    assert template["spec"]["terminationGracePeriodSeconds"] == seconds
    hook = ray_container(template)["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == ["python", "-m", "trainingrun_trainer.drain"]
    # Ray stops after the hook, and is to do so at once.
    assert int(variables_of(template)["TRAININGRUN_DRAIN_SECONDS"]) == seconds - 10
    assert variables_of(template)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == "0"


def test_a_driver_that_is_stopped_has_as_long_as_the_hook_waits_for_it():
    variables = variables_of(pods(terminationGracePeriodSeconds=300)["head"])
    assert variables["RAY_JOB_STOP_WAIT_TIME_S"] == variables["TRAININGRUN_DRAIN_SECONDS"] == "290"


def test_processes_start_before_there_is_a_driver():
    trainer = {"numProcPerNode": 2, "resourcesPerNode": {"limits": {"cpu": 7, "memory": "8Gi"}}}
    rendered = pods(trainer=trainer, data={"resourcesPerNode": {"limits": {"cpu": 5, "memory": "8Gi"}}})
    variables = {group: variables_of(pod) for group, pod in rendered.items()}
    # How many there are beside the driver, the image knows.
    counts = {group: found.get("TRAININGRUN_PRESTART") for group, found in variables.items()}
    assert counts == {"head": None, "data": "5", "trainer": "2"}
    assert variables["trainer"]["OMP_NUM_THREADS"] == "3"
    loaded = {group: variables[group]["RAY_preload_python_modules"].split(",") for group in ("data", "trainer")}
    assert ["torch" in modules for modules in loaded.values()] == [False, True]
    for pod in rendered.values():
        *_, script = ray_container(pod)["lifecycle"]["postStart"]["exec"]["command"]
        # A hook that fails, or takes its time, would hold up its container.
        assert script == "python -m trainingrun_trainer.driver.prestart > /dev/null 2>&1 &"


def test_an_authors_threads_stay_and_an_authors_program_starts_by_itself():
    threads = [{"name": "OMP_NUM_THREADS", "value": "9"}]
    for env in ({"env": threads}, {"trainer": {"env": threads}}):
        assert variables_of(pods(**env)["trainer"])["OMP_NUM_THREADS"] == "9"
    own = pods(recipe=None, trainer={"command": ["python", "train.py"]})
    assert "OMP_NUM_THREADS" not in variables_of(own["trainer"])
    assert [group for group, pod in own.items() if "postStart" in ray_container(pod)["lifecycle"]] == []


def test_nodes_with_head_or_trainers_are_not_taken_away_to_save_money():
    evictable = {group: pod["metadata"]["annotations"].get(SAFE_TO_EVICT) for group, pod in pods().items()}
    assert evictable == {"head": "false", "data": None, "trainer": "false"}


def test_only_the_head_gets_the_runs_configuration():
    rendered = pods()
    assert volume(rendered["head"], "run")["downwardAPI"]["items"] == [
        {"path": "run.json", "fieldRef": {"fieldPath": "metadata.annotations['trainingrun.dev/run']"}}
    ]
    assert mounts(rendered["head"])["run"] == "/etc/trainingrun"
    assert variables_of(rendered["head"])["TRAININGRUN_CONFIG"] == "/etc/trainingrun/run.json"
    for group in ("data", "trainer"):
        assert "run" not in mounts(rendered[group])
        assert "trainingrun.dev/run" not in rendered[group]["metadata"]["annotations"]


def test_a_volume_is_mounted_in_every_pod():
    claim = {"claimName": "shared", "mountPath": "/mnt/shared"}
    for template in pods(storage={"persistentVolumeClaim": claim}).values():
        assert mounts(template)["storage"] == "/mnt/shared"
        assert volume(template, "storage")["persistentVolumeClaim"] == {"claimName": "shared"}


def test_credentials_of_the_storage_are_variables_of_every_pod():
    storage = {"uri": "s3://bucket", "secretRef": {"name": "s3"}}
    for template in pods(storage=storage).values():
        assert ray_container(template)["envFrom"] == [{"secretRef": {"name": "s3"}}]


def test_images_are_pulled_as_the_author_says():
    secrets = [{"name": "a"}, {"name": "b"}, {"name": "a"}]
    for template in pods(imagePullSecrets=secrets, imagePullPolicy="Always").values():
        assert template["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
        assert ray_container(template)["imagePullPolicy"] == "Always"
    assert all("imagePullPolicy" not in ray_container(template) for template in pods().values())


def test_without_an_endpoint_no_pod_holds_a_token():
    for template in pods().values():
        assert "progress" not in mounts(template)
        assert not [name for name in variables_of(template) if name.startswith("KUBEFLOW_")]


def test_head_and_trainers_report_with_a_token_for_the_endpoint_only():
    rendered = pods(WITH_ENDPOINT)
    for group in ("head", "trainer"):
        token, authority = volume(rendered[group], "progress")["projected"]["sources"]
        assert token["serviceAccountToken"] == {
            "path": "token",
            "audience": WITH_ENDPOINT.progress_audience,
            "expirationSeconds": 3600,
        }
        field = authority["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"]
        assert field == "metadata.annotations['trainingrun.dev/progress-ca']"
        assert rendered[group]["metadata"]["annotations"]["trainingrun.dev/progress-ca"] == "certificates\n"
        variables, directory = variables_of(rendered[group]), mounts(rendered[group])["progress"]
        assert variables["KUBEFLOW_TRAINER_SERVER_TOKEN"] == f"{directory}/token"
        assert variables["KUBEFLOW_TRAINER_SERVER_CA_CERT"] == f"{directory}/ca.crt"
        assert variables["KUBEFLOW_TRAINER_SERVER_URL"] == (
            "https://progress.trainingrun-system.svc/apis/v1beta1/namespaces/training/trainingruns/digits/status"
        )
    assert rendered["data"] == pods()["data"]


def test_an_endpoint_with_a_public_certificate_needs_none_in_the_pods():
    rendered = pods(RenderSettings(progress_url="https://progress.example.com/"))
    assert "KUBEFLOW_TRAINER_SERVER_CA_CERT" not in variables_of(rendered["head"])
    assert len(volume(rendered["head"], "progress")["projected"]["sources"]) == 1
    assert variables_of(rendered["head"])["KUBEFLOW_TRAINER_SERVER_URL"].startswith(
        "https://progress.example.com/apis/"
    )


def test_a_groups_variables_win_over_the_runs():
    run, group = [{"name": "A", "value": "run"}, {"name": "B", "value": "run"}], [{"name": "A", "value": "group"}]
    rendered = pods(env=run, data={"env": group})
    assert variables_of(rendered["data"])["A"] == "group"
    assert variables_of(rendered["trainer"])["A"] == "run"
    assert all(variables_of(template)["B"] == "run" for template in rendered.values())


@pytest.mark.parametrize(
    "name", ["HOME", "TRAININGRUN_ATTEMPT", "TRAININGRUN_DRAIN_SECONDS", "RAY_JOB_STOP_WAIT_TIME_S"]
)
def test_an_author_cannot_replace_the_operators_variables(name):
    names = [entry["name"] for entry in ray_container(pods()["head"])["env"]]
    rendered = pods(env=[{"name": name, "value": "author's"}])["head"]
    assert [entry["name"] for entry in ray_container(rendered)["env"]] == names
    assert variables_of(rendered)[name] != "author's"


@pytest.mark.parametrize("name", ["RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS", "RAY_PORT"])
def test_an_author_cannot_unlock_the_cluster_or_send_its_nodes_elsewhere(name):
    for template in pods(env=[{"name": name, "value": "disabled"}]).values():
        assert name not in variables_of(template)


def test_our_variables_come_first_so_that_an_author_can_refer_to_them():
    env = ray_container(pods(env=[{"name": "CACHE", "value": "$(HOME)/cache"}])["trainer"])["env"]
    assert [entry["name"] for entry in env].index("HOME") < [entry["name"] for entry in env].index("CACHE")


def test_a_variable_from_a_secret_stays_a_reference():
    source = {"secretKeyRef": {"name": "tracking", "key": "token"}}
    assert variables_of(pods(env=[{"name": "TOKEN", "valueFrom": source}])["head"])["TOKEN"] == source


TRACKED = {
    "mlflow": {"uri": "https://mlflow.example.com", "secretRef": {"name": "mlflow"}},
    "wandb": {"project": "digits", "secretRef": {"name": "wandb"}},
}


def test_only_the_head_gets_a_trackers_credentials_and_does_not_wait_for_them():
    rendered = pods(tracking=TRACKED, env=[{"name": "WANDB_API_KEY", "value": "the author's"}])
    found = {group: variables_of(pod) for group, pod in rendered.items()}
    for secret, key in (("mlflow", "MLFLOW_TRACKING_TOKEN"), ("wandb", "WANDB_API_KEY")):
        assert found["head"][key] == {"secretKeyRef": {"name": secret, "key": key, "optional": True}}
    assert not [name for group in ("data", "trainer") for name in found[group] if name.startswith("MLFLOW")]
    names = [entry["name"] for entry in ray_container(rendered["head"])["env"]]
    assert len(names) == len(set(names))


def test_a_tracker_without_a_secret_leaves_the_authors_variables():
    env = [{"name": "MLFLOW_TRACKING_TOKEN", "value": "the author's"}]
    tracking = {"mlflow": {"uri": "https://mlflow.example.com"}}
    assert variables_of(pods(tracking=tracking, env=env)["head"])["MLFLOW_TRACKING_TOKEN"] == "the author's"


def test_a_patch_reaches_its_group_alone():
    rendered = pods(podTemplatePatches=[{"target": "Trainer", "spec": {"nodeSelector": {"gpu": "h100"}}}])
    selectors = {group: template["spec"].get("nodeSelector") for group, template in rendered.items()}
    assert selectors == {"head": None, "data": None, "trainer": {"gpu": "h100"}}


def test_no_field_that_an_author_may_patch_is_one_of_ours():
    patchable = {field.alias for field in PodPatch.model_fields.values()}
    for template in pods(WITH_ENDPOINT, data={"maxNodes": 2}).values():
        assert not patchable & template["spec"].keys()


@pytest.mark.parametrize("group", ["head", "data", "trainer"])
def test_a_pod_is_asked_at_once_and_often_whether_it_is_ready(group):
    probe = ray_container(pods()[group])["readinessProbe"]
    assert probe["httpGet"] == {"path": "/api/healthz", "port": 52365}
    assert "initialDelaySeconds" not in probe
    # No less patient than KubeRay's own, which asks every 5 s and gives up after 10 times.
    assert probe["periodSeconds"] * probe["failureThreshold"] == 50


def test_the_head_notices_soon_that_a_node_is_gone():
    found = {group: variables_of(template).get("RAY_health_check_period_ms") for group, template in pods().items()}
    assert found == {"head": "1000", "data": None, "trainer": None}
