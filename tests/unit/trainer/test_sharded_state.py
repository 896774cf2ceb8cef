"""State of which each process has only a part is refused by its place, since rank 0 saves for all."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from checkpoint_samples import POSITION, consumed_by

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.sharded_state import refuse_sharded


@dataclasses.dataclass
class Holder:
    inner: Any


class ShardedTensor:
    """By its name and module, as torch's is."""


ShardedTensor.__module__ = "torch.distributed._shard.sharded_tensor.api"


@pytest.fixture(scope="module")
def sharded() -> Iterator[Any]:
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield distribute_tensor(torch.ones(4), init_device_mesh("cpu", (1,)), [Shard(0)])
    dist.destroy_process_group()


class TestShardedState:
    @pytest.mark.parametrize(
        ("wrap", "place"),
        [
            (lambda value: {"model": {"layer.weight": value}}, "state['model']['layer.weight']"),
            (
                lambda value: {"optimizer": {"state": {3: {"exp_avg": value}}}},
                "state['optimizer']['state'][3]['exp_avg']",
            ),
            (lambda value: {"mine": [1, ("x", value)]}, "state['mine'][1][1]"),
            (lambda value: {"mine": Holder(value)}, "state['mine'].inner"),
            (lambda value: {"mine": collections.OrderedDict(a=value)}, "state['mine']['a']"),
        ],
    )
    def test_it_is_refused_wherever_it_is(
        self, sharded: Any, saver: Callable[..., Saver], storage: RunStorage, wrap: Any, place: str
    ) -> None:
        for value, kind in ((sharded, "DTensor"), (ShardedTensor(), "ShardedTensor")):
            with pytest.raises(InvalidConfiguration) as raised:
                saver().save(wrap(value), POSITION, consumed_by(0), {}, best=False)
            assert f"session.save got {place}, a {kind}, of which each process has only a part" in str(raised.value)
        assert storage.checkpoints() == []

    def test_whole_states_of_any_shape_are_not(self) -> None:
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
        loop: dict[str, Any] = {"model": model, "state": model.state_dict(), "none": None, "rate": 0.1}
        loop["itself"] = loop
        refuse_sharded({**loop, "optimizer": torch.optim.Adam(model.parameters()).state_dict()})
