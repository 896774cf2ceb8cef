"""Reports of progress that the operator must refuse, sent from real pods with real tokens, and what it answers.

Each of them would be taken if it were the run's own: the address, the certificate and the body are right, and every
pod has the labels that NetworkPolicies let through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from namespaces import Namespace
from plain_pods import start_pod
from run_on_cluster import TrainingRun

from trainingrun.contract.labels import MANAGED_BY_KEY, MANAGED_BY_VALUE, RUN_UID_KEY
from trainingrun.contract.pods import PROGRESS_CA_ANNOTATION, PROGRESS_DIRECTORY

Object = dict[str, Any]

# A metric of this name is in every report that must be refused, so that a status tells whether one was taken.
FORGED = "forged"
AUDIENCE = "trainingrun.dev"
_STRANGER = "stranger"
_TOKENS = "/var/run/tokens"
_REPORT = {"trainerStatus": {"progressPercentage": 99, "metrics": [{"name": FORGED, "value": "1"}]}}
_POST = """
import json, ssl, sys, urllib.error, urllib.request
said = json.load(sys.stdin)
bearer = said["bearer"] or (said["token_file"] and open(said["token_file"]).read())
request = urllib.request.Request(said["url"], said["body"].encode(), {"Content-Type": "application/json"})
if bearer:
    request.add_header("Authorization", "Bearer " + bearer)
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=said["ca"]))
)
try:
    with opener.open(request, timeout=20) as answer:
        status, text = answer.status, answer.read()
except urllib.error.HTTPError as refusal:
    status, text = refusal.code, refusal.read()
print(json.dumps([status, json.loads(text)["message"]]))
"""


@dataclass(frozen=True)
class Answer:
    """The operator's answer: HTTP's status, and a sentence."""

    status: int
    sentence: str


@dataclass(frozen=True)
class _Endpoint:
    """The operator's endpoint as a run's pods know it: its address for that run, and its certificates."""

    run: TrainingRun
    url: str
    ca: str

    def answer(self, pod: str, *, url: str = "", bearer: str = "", token_file: str = "", body: str = "") -> Answer:
        """Send a report from a pod, as the bearer of a token or of what is in a file of the pod; or of nothing."""
        said = {
            "url": url or self.url,
            "ca": self.ca,
            "bearer": bearer,
            "token_file": token_file,
            "body": body or json.dumps(_REPORT),
        }
        inside = ["--stdin", f"--namespace={self.run.namespace}", pod, "--", "python", "-c", _POST]
        done = self.run.cluster.run("exec", *inside, stdin=json.dumps(said))
        return Answer(*json.loads(done.stdout.splitlines()[-1]))


def answers(namespace: Namespace, run: TrainingRun) -> dict[str, Answer]:
    """What the operator answers, by who it is that reports for `run`, which trains."""
    head = run.pods("head")[0]
    name = head["metadata"]["name"]
    environment = {variable["name"]: variable.get("value", "") for variable in head["spec"]["containers"][0]["env"]}
    url = environment["KUBEFLOW_TRAINER_SERVER_URL"]
    endpoint = _Endpoint(run, url, head["metadata"]["annotations"][PROGRESS_CA_ANNOTATION])
    other = namespace.apply(namespace.sample("suspended")[0])
    other_url = url.replace(f"/{run.name}/", f"/{other.name}/")
    own = f"{PROGRESS_DIRECTORY}/token"
    _start_stranger(namespace)
    try:
        return {
            "a pod of the run that says nothing": endpoint.answer(name, token_file=own, body="{}"),
            "a pod of another run": endpoint.answer(name, url=other_url, token_file=own),
            "a pod of no run": endpoint.answer(_STRANGER, token_file=f"{_TOKENS}/progress"),
            "a token for the API server": endpoint.answer(_STRANGER, token_file=f"{_TOKENS}/kubernetes"),
            "a token of no pod": endpoint.answer(_STRANGER, bearer=_token(namespace)),
            "a pod of another namespace": endpoint.answer(_STRANGER, bearer=_token_from_elsewhere(namespace)),
            "nonsense": endpoint.answer(_STRANGER, bearer="nonsense"),
            "nobody": endpoint.answer(_STRANGER),
        }
    finally:
        for kind, thing in (("pod", _STRANGER), ("trainingrun", other.name)):
            namespace.cluster.run("delete", kind, thing, f"--namespace={namespace.name}", "--grace-period=1")


def _token(namespace: Namespace, *options: str, account: str = "default", of: str = "") -> str:
    where = f"--namespace={of or namespace.name}"
    return namespace.cluster.run("create", "token", account, where, f"--audience={AUDIENCE}", *options).stdout.strip()


def _token_from_elsewhere(namespace: Namespace) -> str:
    """A token as a pod of another namespace could have it."""
    pod = namespace.cluster.list("pods", "kube-system", "k8s-app=kube-dns")[0]
    bound = ["--bound-object-kind=Pod", f"--bound-object-name={pod['metadata']['name']}"]
    return _token(namespace, *bound, account=pod["spec"]["serviceAccountName"], of="kube-system")


def _start_stranger(namespace: Namespace) -> None:
    """A pod with a token for the operator's endpoint, and one for the API server, that belongs to no run."""
    tokens: list[Object] = [
        {"serviceAccountToken": {"path": "progress", "audience": AUDIENCE}},
        {"serviceAccountToken": {"path": "kubernetes"}},
    ]
    labels = {MANAGED_BY_KEY: MANAGED_BY_VALUE, RUN_UID_KEY: "nobody"}
    volume = {"projected": {"sources": tokens}}
    start_pod(namespace, _STRANGER, ["sleep", "infinity"], labels=labels, volume=volume, path=_TOKENS)
