"""The Secret that keeps the certificate for all replicas. Its own manifest creates it empty; this only fills it."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trainingrun.certificate.issuing import Issued, issue, problem_with
from trainingrun.kube import Api, Conflict
from trainingrun.kube.resources import SECRETS

logger = logging.getLogger(__name__)

# The keys that Kubernetes and cert-manager use.
AUTHORITY_KEY, CERTIFICATE_KEY, PRIVATE_KEY = "ca.crt", "tls.crt", "tls.key"


async def obtain(api: Api, namespace: str, name: str, host: str, now: datetime) -> Issued:
    """The certificate of the Secret, or one that is new and in the Secret from now on.

    Replicas that start at the same time end with the same one: the API server takes the first and refuses the others,
    which then read it. Raises `ApiError`.
    """
    while True:
        body = await api.get(SECRETS, namespace, name)
        found = _issued_of(body)
        problem = problem_with(found, host, now) if found is not None else "there is none yet"
        if found is not None and problem is None:
            return found
        logger.info("creating a certificate: %s", problem)
        made = issue(host, now)
        try:
            await api.replace(SECRETS, namespace, {**body, "data": {**(body.get("data") or {}), **_data_of(made)}})
        except Conflict:
            # Someone else was faster, and has most likely written what is needed.
            continue
        return made


def _issued_of(body: Mapping[str, Any]) -> Issued | None:
    data = body.get("data") or {}
    try:
        parts = [base64.b64decode(data[key], validate=True) for key in (AUTHORITY_KEY, CERTIFICATE_KEY, PRIVATE_KEY)]
    except (KeyError, binascii.Error):
        return None
    return Issued(*parts)


def _data_of(issued: Issued) -> dict[str, str]:
    parts = {AUTHORITY_KEY: issued.authority, CERTIFICATE_KEY: issued.certificate, PRIVATE_KEY: issued.key}
    return {key: base64.b64encode(value).decode() for key, value in parts.items()}
