"""The rules about where the author's code is."""

from __future__ import annotations

from trainingrun.crd.rules.rule import MAY_COME, Rule, exactly_one, given
from trainingrun.spec.code import Code
from trainingrun.spec.run import RunSpec

_CLAIM = "self.storage.persistentVolumeClaim"

CODE_RULES = (
    Rule(
        Code,
        "code.Code.broken_rules",
        exactly_one("uri", "configMapKeyRef"),
        "exactly one of `uri` and `configMapKeyRef` must be set",
    ),
    Rule(
        RunSpec,
        "rules._code_on_claim",
        f"""{MAY_COME} !has(self.code) || !has(self.code.uri) || !self.code.uri.startsWith('/') || ({given(_CLAIM)}
            && self.code.uri.startsWith({_CLAIM}.mountPath.endsWith('/')
                ? {_CLAIM}.mountPath : {_CLAIM}.mountPath + '/'))""",
        "a path in `code.uri` must lie below the `mountPath` of the run's claim; a URI such as s3://bucket/code.tar.gz "
        "may be anywhere",
        field="code.uri",
    ),
)
