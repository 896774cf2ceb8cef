"""`python -m trainingrun.certificate`: writes the progress endpoint's certificate to files, before the operator starts.

Exit status: 0 when the files are there, 1 when the Secret could not be read or written, 2 outside a cluster.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from trainingrun.certificate.issuing import Issued
from trainingrun.certificate.secret import AUTHORITY_KEY, CERTIFICATE_KEY, PRIVATE_KEY, obtain
from trainingrun.engine.log import configure_logs
from trainingrun.kube import Api, ApiError, KubernetesTransport, NoCluster, load_configuration, own_namespace


@click.command()
@click.option("--secret", required=True, help="Name of the Secret that stores the certificate; it must exist.")
@click.option("--host", required=True, help="Host name at which pods reach the endpoint.")
@click.option("-n", "--namespace", help="Namespace of the Secret; default: the pod's own.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="Folder to write the files to.")
def main(secret: str, host: str, namespace: str | None, folder: Path) -> None:
    """Write ca.crt, tls.crt and tls.key. A certificate that is missing, damaged or about to expire is replaced."""
    configure_logs("info")
    try:
        issued = asyncio.run(_obtain(namespace or own_namespace() or "default", secret, host))
    except NoCluster as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except ApiError as error:
        click.echo(f"Error: the Secret {secret} could not be read or written: {error}", err=True)
        sys.exit(1)
    _write(issued, folder)


async def _obtain(namespace: str, secret: str, host: str) -> Issued:
    transport = KubernetesTransport(await load_configuration())
    try:
        return await obtain(Api(transport), namespace, secret, host, datetime.now(UTC))
    finally:
        await transport.close()


def _write(issued: Issued, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / PRIVATE_KEY
    # Before it holds anything, so that no one else can ever read the key.
    key.touch(mode=0o600)
    key.write_bytes(issued.key)
    (folder / AUTHORITY_KEY).write_bytes(issued.authority)
    (folder / CERTIFICATE_KEY).write_bytes(issued.certificate)


if __name__ == "__main__":
    main(prog_name="python -m trainingrun.certificate")
