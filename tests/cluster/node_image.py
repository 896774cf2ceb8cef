"""kind's node image, and the images of Kubernetes' control plane in it, where no image registry answers.

Every program is built from its Go module, everything else comes from Debian's packages. A built image is named by a
hash of all that goes into it, so that it is built once a machine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from base_image import build_options
from container_tool import ContainerTool, run, step
from go_binaries import binaries, module_files, version_of

_NODE = Path(__file__).parent / "node"
_NODE_PROGRAMS = ("kubeadm", "kubelet", "kubectl")
_SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
# kube-proxy and the network between pods need these beside the program.
_PROXY_PACKAGES = "iptables conntrack kmod"


def node_image(tool: ContainerTool, base: str) -> str:
    """The node image's name. Builds it if it is not there."""
    programs = binaries((*_NODE_PROGRAMS, *_SERVERS, "etcd", "coredns"))
    version = version_of("kubelet")
    image = f"localhost/trainingrun/node:{version}-{_key(programs.values())}"
    if not tool.has_image(image):
        with step("node image"), tempfile.TemporaryDirectory(prefix="trainingrun-node-") as folder:
            _build(tool, base, image, programs, Path(folder))
    return image


def program_image(
    tool: ContainerTool,
    image: str,
    program: Path,
    *,
    path: str = "",
    base: str = "scratch",
    prepare: str = "",
    user: str = "0",
) -> None:
    """Build an image that holds one program, and what the Dockerfile's line `prepare` adds to it."""
    path = path or f"/usr/local/bin/{program.name}"
    with tempfile.TemporaryDirectory(prefix="trainingrun-program-") as folder:
        place(program, Path(folder) / program.name)
        lines = [f"FROM {base}", prepare, f"COPY {program.name} {path}", f"USER {user}", f'ENTRYPOINT ["{path}"]', ""]
        (Path(folder) / "Dockerfile").write_text("\n".join(lines))
        tool.run("build", *build_options(tool), "--tag", image, folder)


def place(program: Path, path: Path) -> None:
    """Put a program into a folder that an image is built from; a link where that is possible, as they are large."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(program, path)
    except OSError:
        shutil.copy2(program, path)


def _build(tool: ContainerTool, base: str, image: str, programs: dict[str, Path], context: Path) -> None:
    names = _control_plane_names(programs["kubeadm"])
    for name in (*_SERVERS, "etcd", "coredns"):
        if name == "kube-proxy":
            prepare = f"RUN apt-get update && apt-get install -y --no-install-recommends {_PROXY_PACKAGES}"
            program_image(tool, names[name], programs[name], base=base, prepare=prepare)
        else:
            program_image(tool, names[name], programs[name])
    # A sandbox only has to be there.
    (context / "Dockerfile.pause").write_text(f'FROM {base}\nENTRYPOINT ["sleep", "infinity"]\n')
    tool.run("build", "--tag", names["pause"], "--file", str(context / "Dockerfile.pause"), str(context))
    multiple = ["--multi-image-archive"] if tool.name == "podman" else []
    tool.run("save", *multiple, "--output", str(context / "images.tar"), *names.values())
    _fill(context, programs)
    arguments = [f"--build-arg=BASE_IMAGE={base}", f"--build-arg=PAUSE_IMAGE={names['pause']}"]
    tool.run("build", *build_options(tool), *arguments, "--tag", image, str(context))
    # They are in the node image now; here they would only pass for the upstream's.
    tool.run("rmi", *names.values())


def _control_plane_names(kubeadm: Path) -> dict[str, str]:
    """The images that kubeadm starts, by the last part of their names."""
    listed = run([str(kubeadm), "config", "images", "list", f"--kubernetes-version={version_of('kubeadm')}"]).split()
    return {image.rpartition(":")[0].rpartition("/")[2]: image for image in listed}


def _fill(context: Path, programs: dict[str, Path]) -> None:
    """Lay out what the Dockerfile copies. kind's files have no modes of their own in a module."""
    kind = module_files("kind") / "images" / "base" / "files"
    for folder in ("usr", "etc", "kind"):
        shutil.copytree(kind / folder, context / "kind" / folder, copy_function=shutil.copyfile)
    shutil.copytree(_NODE / "rootfs", context / "node", copy_function=shutil.copyfile)
    for path in (context / "kind", context / "node", *(context / "kind").rglob("*"), *(context / "node").rglob("*")):
        path.chmod(0o755 if path.is_dir() or "bin" in path.parts[-3:] else 0o644)
    (context / "kind" / "kind" / "version").write_text(version_of("kubelet"))
    for name in _NODE_PROGRAMS:
        place(programs[name], context / "programs" / name)
    shutil.copyfile(_NODE / "Dockerfile", context / "Dockerfile")


def _key(programs: Iterable[Path]) -> str:
    """A hash of what the image is made of. A program's path says which version and build it is."""
    digest = hashlib.sha256(version_of("kind").encode())
    for program in programs:
        digest.update(str(program).encode())
    for file in sorted((*_NODE.rglob("*"), Path(__file__))):
        if file.is_file():
            digest.update(str(file.relative_to(_NODE.parent)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]
