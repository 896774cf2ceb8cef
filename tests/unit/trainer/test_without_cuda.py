"""torch without NVIDIA's libraries: what is left out of the lock file, and what stands in for the libraries."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

import without_cuda

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux' torch has CUDA")


def _entries(lock: str) -> list[str]:
    return [line.split("==")[0] for line in lock.splitlines() if line and line[0].isalnum()]


@pytest.mark.parametrize("name", ["trainer", "dev"])
def test_only_what_a_gpu_needs_is_left_out(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()
    rest = without_cuda.requirements(lock)
    left_out = [entry for entry in _entries(lock) if entry not in _entries(rest)]
    assert "torch" in _entries(rest)
    assert {"nvidia-cublas", "nvidia-nccl-cu13", "triton"} <= {*left_out}
    assert all(entry.startswith(("nvidia-", "cuda-")) or entry == "triton" for entry in left_out)
    kept = [entry for entry in _entries(rest) if entry.startswith("nvidia-")]
    assert kept == ["nvidia-cuda-cupti", "nvidia-cuda-runtime"]
    assert rest.count("--hash=") > len(_entries(rest))


def test_the_linker_finds_each_function_by_its_version_and_each_returns_an_error(tmp_path: Path) -> None:
    functions = {"cublasCreate_v2": "libcublas.so.13", "ncclGetErrorString": "", **{f"cufft{i}": "" for i in range(40)}}
    (tmp_path / "lib.so").write_bytes(without_cuda.library_of(functions))
    library = ctypes.CDLL(str(tmp_path / "lib.so"))
    assert [library.cublasCreate_v2(), *(library[f"cufft{i}"]() for i in range(40))] == [1] * 41
    library.ncclGetErrorString.restype = ctypes.c_char_p
    assert b"not installed here" in library.ncclGetErrorString()
    find = ctypes.CDLL(None).dlvsym
    find.argtypes, find.restype = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p), ctypes.c_void_p
    assert find(library._handle, b"cublasCreate_v2", b"libcublas.so.13")
    assert not find(library._handle, b"cublasCreate_v2", b"libcublas.so.12")
    assert not find(library._handle, b"another", b"libcublas.so.13")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A small one of torch's own libraries, which asks for the one that counts GPUs, and for no other."""
    found = importlib.util.find_spec("torch")
    assert found is not None and found.origin is not None
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    shutil.copy(Path(found.origin).parent / "lib" / "libc10_cuda.so", tmp_path / "torch" / "lib")
    return tmp_path


def test_a_missing_library_is_stood_in_for(packages: Path) -> None:
    said = without_cuda.link(packages)
    (link,) = (path for path in (packages / "torch" / "lib").iterdir() if path.is_symlink())
    assert said == f"torch does without {link.name}" and link.name.startswith("libcudart.so.")
    assert ctypes.CDLL(str(link)).cudaGetDeviceCount(None) == 1


def test_a_library_that_is_there_is_left_alone(packages: Path) -> None:
    without_cuda.link(packages)
    (link,) = (path.name for path in (packages / "torch" / "lib").iterdir() if path.is_symlink())
    installed = packages / "nvidia" / "cu13" / "lib" / link
    installed.parent.mkdir(parents=True)
    shutil.copy(packages / "torch" / "lib" / "libc10_cuda.so", installed)
    assert without_cuda.link(packages) == "torch does without nothing"
    assert [path.name for path in (packages / "torch" / "lib").iterdir()] == ["libc10_cuda.so"]
