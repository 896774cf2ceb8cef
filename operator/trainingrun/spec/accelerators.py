"""Which resources of Kubernetes are GPUs, whole or in part, and which are accelerators that a run cannot train on.

Every name under which a device plugin sells one must be in here: a run that holds what nobody recognizes would train
on CPUs, and say nothing. The API server checks names by the same patterns, which must be regular expressions of RE2.
"""

from __future__ import annotations

import re

# What torch.cuda and Ray count as GPUs, one process for each: of NVIDIA, and of AMD in an image with torch for ROCm.
WHOLE_GPU = r"^(nvidia|amd)\.com/gpu$"
# Slices in hardware and in time. CUDA gives a process one slice, and NCCL joins no two slices of one GPU.
PART_OF_GPU = r"^(nvidia\.com/(gpu\.shared|mig-[a-z0-9.-]+)|amd\.com/[a-z]+_nps[0-9]+)$"
GPU = f"{WHOLE_GPU}|{PART_OF_GPU}"
# Everything else that is sold as an accelerator: by what it is called, or by a maker that sells nothing else. Of
# memory or cores of a GPU one cannot tell how many GPUs they are of.
ACCELERATOR = (
    r"(?i)gpu|cuda|gaudi|neuron|ascend|accelerator|directx|qaic"
    r"|(^|[^a-z])v?([nthixp]pu|dcu|mlu|gcu)s?([^a-z]|$)"
    r"|^(nvidia\.com|habana\.ai|cambricon\.com|enflame\.com|furiosa\.ai|hygon\.com|iluvatar\.ai"
    r"|metax-tech\.com|mthreads\.com|rebellions\.ai|tenstorrent\.com)/"
)
# NVIDIA's network cards, whose names administrators choose.
NETWORK = r"(?i)^nvidia\.com/.*(rdma|hostdev|sriov|roce|ib|nic|mlnx|mlx|connectx|bluefield)"
GPU_WORDS = "nvidia.com/gpu, nvidia.com/gpu.shared, nvidia.com/mig-... or amd.com/gpu"


def is_gpu(resource: str) -> bool:
    """Whether training can use this resource, of which each is one GPU or a part of one."""
    return re.search(GPU, resource) is not None


def is_part_of_gpu(resource: str) -> bool:
    """Whether each of this resource is a part of a GPU."""
    return re.search(PART_OF_GPU, resource) is not None


def is_unusable(resource: str) -> bool:
    """Whether this is an accelerator, but none that training can use."""
    if "/" not in resource or is_gpu(resource) or re.search(NETWORK, resource):
        return False
    return re.search(ACCELERATOR, resource) is not None
