"""Every name under which an accelerator is sold is a GPU to train on, or is refused by that name."""

from __future__ import annotations

import pytest
from test_spec import document, problems_of

from trainingrun.spec import parse
from trainingrun.spec.accelerators import is_gpu, is_part_of_gpu, is_unusable

WHOLE = ["nvidia.com/gpu", "amd.com/gpu"]
PARTS = [
    "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb.me", "nvidia.com/mig-1c.3g.20gb",
    "nvidia.com/mig-3g.40gb.shared", "amd.com/cpx_nps4",
]  # fmt: skip
# From the documentation of device plugins, schedulers and clouds.
REFUSED = [
    "4paradigm.com/vgpu", "alibabacloud.com/gpu", "aliyun.com/gpu-count", "aliyun.com/gpu-mem",
    "aliyun.com/gpu-core.percentage", "aws.amazon.com/neuron", "aws.amazon.com/neuroncore",
    "aws.amazon.com/neurondevice", "baidu.com/xpu", "cambricon.com/mlu", "cambricon.com/mlu370.smlu.vcore",
    "cloud-tpus.google.com/v3", "elasticgpu.io/gpu-memory", "enflame.com/gcu", "furiosa.ai/rngd", "google.com/tpu",
    "gpu.intel.com/i915", "gpu.intel.com/millicores", "gpu.intel.com/tiles", "gpu.intel.com/xe", "graphcore.ai/ipu",
    "habana.ai/gaudi", "huawei.com/Ascend310P", "huawei.com/Ascend910", "huawei.com/Ascend910-4c", "huawei.com/npu",
    "hygon.com/dcu", "hygon.com/dcunum", "iluvatar.ai/gpu", "intel.com/gpu", "k8s.amazonaws.com/vgpu",
    "koordinator.sh/gpu-core", "koordinator.sh/gpu-memory-ratio", "kunlunxin.com/xpu", "metax-tech.com/gpu",
    "microsoft.com/directx", "mthreads.com/vgpu", "npu.intel.com/accel", "nvidia.com/GA102GL_A10", "nvidia.com/a100",
    "nvidia.com/gpu-10gb", "nvidia.com/gpucores", "nvidia.com/gpumem", "nvidia.com/gpumem-percentage",
    "nvidia.com/GRID_T4-1Q", "nvidia.com/pgpu", "nvidia.com/vgpu", "qualcomm.com/qaic", "rebellions.ai/ATOM",
    "run.ai/gpu-fraction", "tencent.com/vcuda-core", "tencent.com/vcuda-memory", "tenstorrent.com/n150",
    "volcano.sh/gpu-memory", "volcano.sh/vgpu-memory", "volcano.sh/vgpu-number", "xpu.example/vxpu",
]  # fmt: skip
NONE = [
    "cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "amd.com/xilinx_u55c", "devices.kubevirt.io/kvm",
    "example.com/fpga", "example.com/input-device", "nvidia.com/hostdev", "nvidia.com/rdma_shared_device_a",
    "nvidia.com/sriov_ib", "rdma/hca_shared_devices_a", "smarter-devices/fuse", "vpc.amazonaws.com/efa",
    "xilinx.com/fpga-xilinx_u200",
]  # fmt: skip


def limits(name: str, count: int = 1) -> dict[str, object]:
    return {"resourcesPerNode": {"limits": {name: count}}}


@pytest.mark.parametrize("name", WHOLE + PARTS)
def test_gpus_are_counted(name):
    trainer = parse(document(trainer=limits(name))).spec.trainer
    assert (trainer.resources_per_node.gpus, trainer.processes_per_node) == (1, 1)
    assert is_part_of_gpu(name) == (name in PARTS)
    assert not is_unusable(name)


@pytest.mark.parametrize("name", PARTS)
def test_a_pod_gets_one_part_of_a_gpu(name):
    assert problems_of(document(trainer=limits(name, 2))) == {f'spec.trainer.resourcesPerNode.limits["{name}"]': "2"}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("group", ["trainer", "data"])
def test_other_accelerators_are_refused_by_name(name, group):
    found = problems_of(document(**{group: limits(name)}))
    assert found == {
        f'spec.{group}.resourcesPerNode.limits["{name}"]': "an accelerator that training cannot use or count"
    }


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_accelerator_is_left_alone(name):
    assert not is_gpu(name) and not is_unusable(name)
    assert parse(document(trainer=limits(name, 1))).spec.trainer.resources_per_node.gpus == 0
