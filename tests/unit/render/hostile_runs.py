"""Valid runs in which every text that a person chooses may mean something to YAML, Jinja2, a shell or Kubernetes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from run_strategies import names, texts, valid_documents, variables

METACHARACTERS = st.sampled_from(
    [
        "x\nhostNetwork: true", "{{ cluster }}", "{% for x in y %}", "{# a comment #}", "- a", "a: b", "a: &b", "*b",
        "!!python/object:os.system", "'", '"', '"\n  x: "', "\\", "\\n", "\\u0041", "|", ">", "%YAML 1.1", "---", "...",
        "#", "key: [", "{a", "null", "~", "true", "no", "0x10", "1e3", "1_000", ".inf", "2026-01-01", "12:30:45", "<<",
        "=", "@a", "`", "$(HOME)", "$HOME", "; rm -rf /", "a\tb", "a\r\nb", " a ", "", "\x07", "\x7f", "\x85", "\u2028",
        "\ufeff", "\ufffe", "\U0001f600", "\U0001fffe", "e\u0301", "<script>&amp;'", "\ud7ff",
    ]
)  # fmt: skip
hostile_texts = st.lists(METACHARACTERS | texts, min_size=1, max_size=3).map("".join)
hostile_words = st.lists(hostile_texts, min_size=1, max_size=4)
hostile_paths = hostile_texts.map(lambda text: "/mnt/x" + "".join(c for c in text if c > "\x1f" and c not in ":/\x7f"))
hostile_uris = hostile_texts.map(lambda text: "s3://x" + "".join(c for c in text if c > "\x1f" and c != "\x7f"))
hostile_environments = st.dictionaries(variables, hostile_texts, max_size=4).map(
    lambda values: [{"name": f"AUTHORS_{name}", "value": value} for name, value in values.items()]
)
_amounts = {"cpu": st.sampled_from([1, "2", "500m", "1.5", "3"])}
_limits = st.fixed_dictionaries(_amounts, optional={"memory": st.just("16Gi")})
_limits_with_gpu = st.fixed_dictionaries(_amounts, optional={"memory": st.just("16Gi"), "nvidia.com/gpu": st.just(1)})


def _resources(limits: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"limits": limits}, optional={"requests": st.just({"cpu": "250m"})})


def _affinity(text: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": text, "operator": "In", "values": [text]}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


pod_patches = st.fixed_dictionaries(
    {},
    optional={
        "nodeSelector": st.dictionaries(names, names, max_size=3),
        "tolerations": st.lists(st.sampled_from([{"key": "null"}, {"operator": "Exists"}]), max_size=3),
        "affinity": hostile_texts.map(_affinity),
        "priorityClassName": names,
        "runtimeClassName": names,
        "schedulerName": names,
        "topologySpreadConstraints": hostile_texts.map(
            lambda text: [{"maxSkew": 1, "topologyKey": text, "whenUnsatisfiable": "ScheduleAnyway"}]
        ),
    },
)


@st.composite
def hostile_documents(draw: st.DrawFn) -> dict[str, Any]:
    document = draw(valid_documents())
    spec = document["spec"]
    trainer, data = spec.setdefault("trainer", {}), spec.setdefault("data", {})
    for part in (spec, trainer, data):
        part["env"] = draw(hostile_environments)
    trainer["resourcesPerNode"] = draw(_resources(_limits_with_gpu))
    data["numNodes"] = draw(st.integers(1, data.get("maxNodes", 1000)))
    spec["head"] = {"resources": draw(_resources(_limits))}
    if "recipe" in spec:
        spec["recipe"]["dataset"]["inputColumn"] = draw(hostile_texts.filter(bool))
    else:
        trainer |= {"command": draw(hostile_words), "args": draw(hostile_words)}
    if "persistentVolumeClaim" in spec["storage"]:
        spec["storage"]["persistentVolumeClaim"]["mountPath"] = draw(hostile_paths)
    if "uri" in spec.get("code", {}):
        spec["code"]["uri"] = draw(hostile_uris)
    spec["imagePullSecrets"] = [{"name": name} for name in draw(st.lists(names, max_size=3))]
    targets = draw(st.lists(st.sampled_from(["Head", "Data", "Trainer"]), unique=True))
    spec["podTemplatePatches"] = [{"target": target, "spec": draw(pod_patches)} for target in targets]
    spec["podMetadata"] = [{"target": "Trainer", "annotations": {"example.com/note": draw(hostile_texts)}}]
    spec["volumes"] = [{"name": "x", "csi": {"driver": "x", "volumeAttributes": {"x": draw(hostile_texts)}}}]
    spec["volumeMounts"] = [{"name": "x", "mountPath": f"{draw(hostile_paths)}/x"}]
    document["metadata"]["annotations"] = {"note": draw(hostile_texts)}
    if draw(st.booleans()):
        del document["metadata"]["labels"]
    return document
