"""An object store in the cluster: moto's server, which speaks S3, in a pod of a scenario's namespace.

Its packages lie on the namespace's volume, put there by this machine, so that no image has to be built for it. What a
test wants to know of the store is asked in its pod.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from namespaces import Namespace
from plain_pods import start_pod

_NAME = "s3"
_PORT = 5000
_MOUNT = "/mnt/cluster_storage"
_PACKAGES = "s3-packages"
_LOCKED = Path(__file__).parents[3] / "requirements" / "dev.txt"
# Python of the training image.
_PYTHON = "3.11"
_BUCKETS = ("datasets", "training")
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
_FILL = f"""
import pathlib, boto3
store = boto3.client("s3")
for bucket in {_BUCKETS}:
    store.create_bucket(Bucket=bucket)
folder = pathlib.Path("{_MOUNT}/datasets")
for file in folder.rglob("*.*"):
    store.upload_file(str(file), "datasets", str(file.relative_to(folder)))
"""
_READ = """
import json, sys, boto3
bucket, prefix, suffix = sys.argv[1:]
store = boto3.client("s3")
pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
read = {key: store.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys if key.endswith(suffix)}
print(json.dumps({"keys": keys, "read": read}))
"""


@dataclass(frozen=True)
class ObjectStore:
    """The store. `variables` are what its clients in the cluster need to know."""

    namespace: Namespace

    @property
    def variables(self) -> dict[str, str]:
        """For the Secret that a run names."""
        return {**_CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{_NAME}.{self.namespace.name}.svc:{_PORT}"}

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """What lies in a bucket below a prefix."""
        found: list[str] = json.loads(self._python(_READ, bucket, prefix, "nothing"))["keys"]
        return found

    def read(self, bucket: str, prefix: str, suffix: str) -> dict[str, str]:
        """The text of the objects below a prefix whose names end so."""
        found: dict[str, str] = json.loads(self._python(_READ, bucket, prefix, suffix))["read"]
        return found

    def fill(self) -> None:
        """Make the buckets, with the namespace's datasets in one of them."""
        self._python(_FILL)

    def _python(self, program: str, *arguments: str) -> str:
        inside = [f"--namespace={self.namespace.name}", _NAME, "--", "python", "-c", program, *arguments]
        return self.namespace.cluster.run("exec", *inside).stdout


def start(namespace: Namespace) -> ObjectStore:
    """Start the store, and wait until it has the namespace's datasets."""
    _install(namespace.volume / _PACKAGES)
    selector = {"app": _NAME}
    metadata = {"name": _NAME, "namespace": namespace.name}
    service = {"selector": selector, "ports": [{"port": _PORT}]}
    namespace.cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service})
    start_pod(
        namespace,
        _NAME,
        ["python", "-m", "moto.server", "--host", "0.0.0.0", "--port", str(_PORT)],  # noqa: S104
        labels=selector,
        volume={"persistentVolumeClaim": {"claimName": "cluster-storage"}},
        path=_MOUNT,
        variables={
            "PYTHONPATH": f"{_MOUNT}/{_PACKAGES}",
            "PYTHONDONTWRITEBYTECODE": "1",
            # Else it takes the Service's name for that of a bucket.
            "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_PORT}",
            **_CREDENTIALS,
        },
        port=_PORT,
    )
    store = ObjectStore(namespace)
    store.fill()
    return store


def _install(folder: Path) -> None:
    """The packages as this repository has locked them, for the image's Python."""
    uv = Path(sys.executable).with_name("uv")
    image = [f"--python-version={_PYTHON}", f"--python-platform={platform.machine()}-unknown-linux-gnu"]
    command = [uv, "pip", "install", "--quiet", "--target", folder, *image, "--constraints", _LOCKED]
    subprocess.run([*command, "moto[s3,server]"], check=True, capture_output=True, text=True, timeout=300)
