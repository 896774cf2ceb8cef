"""An operator that serves some namespaces: what is wrong with one of them stops nothing in the others."""

from __future__ import annotations

from collections.abc import Callable

from control_plane import ControlPlane
from operator_process import NAMESPACE, OPERATOR, OperatorProcess
from raw_client import RawClient
from ray_dashboard import RayDashboard
from training_runs import TrainingRuns

ACCOUNT = "namespaced-operator"


def give_rights(admin: RawClient, namespace: str) -> None:
    admin.apply(
        "rolebindings",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": OPERATOR},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        },
        namespace,
    )


def test_a_namespace_without_rights_is_told_and_the_others_are_served(
    control_plane: ControlPlane,
    admin: RawClient,
    ray_dashboard: RayDashboard,
    namespaces: Callable[[], str],
    operators: Callable[..., OperatorProcess],
) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    admin.apply("serviceaccounts", account, NAMESPACE)
    served, other = namespaces(), namespaces()
    give_rights(admin, served)
    operator = operators("of-two-namespaces", serves=[served, other], account=(NAMESPACE, ACCOUNT))

    def has_ray_job(namespace: str, name: str) -> None:
        runs = TrainingRuns(admin, ray_dashboard, namespace)
        runs.apply(name)
        admin.until(lambda: admin.find("rayjobs", runs.ray_job(name), namespace), f"the RayJob of {name}", 60)

    has_ray_job(served, "first")
    status, words = operator.readiness()
    assert status == 200 and f"namespace {other} is not served: the operator may not list trainingruns" in words
    give_rights(admin, other)
    has_ray_job(other, "late")
    admin.until(lambda: operator.readiness() == (200, "ok"), "all is well")
    admin.delete("rolebindings", ACCOUNT, other)
    operator.kill()
    operator.start()
    has_ray_job(served, "second")
