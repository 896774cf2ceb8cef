"""A forecast agrees with what a queue of the same costs does, and says in words what follows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supply_queue import Load, nodes_wanted

from trainingrun_trainer.forecast.model import Costs, Shape, forecast
from trainingrun_trainer.forecast.words import document, page

COSTS = Costs(
    read_seconds=0.001,
    steps={"transforms[0]": 0.003, "transforms[1]": 0.001},
    stored_bytes=50_000,
    made_bytes=150_528,
    trainer_rate=400.0,
)
SHAPE = Shape(trainers=4, data_nodes=1, workers_per_node=4, budget_bytes_per_node=2 << 30, rows=1_000_000)

LOADS = (
    Load(0.005, 1000, 4, 0.2),
    Load(0.005, 1000, 1, 0.2),
    Load(0.005, 3000, 8, 0.5),
    Load(0.005, 150, 4, 0.2),
    Load(0.0005, 20_000, 2, 0.3),
    Load(0.0005, 5000, 4, 0.1),
    Load(0.00002, 400_000, 4, 0.2),
    Load(0.02, 800, 4, 0.8),
    Load(0.05, 100, 1, 0.3),
    Load(0.1, 120, 2, 0.1),
    Load(0.01, 2400, 8, 0.6),
    Load(0.003, 2222, 3, 0.4),
)


@pytest.mark.parametrize("load", LOADS)
def test_the_nodes_are_those_that_a_queue_needs_give_or_take_one(load: Load) -> None:
    costs = Costs(load.seconds, {}, 100, 100, trainer_rate=load.needed)
    found = forecast(costs, replace(SHAPE, trainers=1, workers_per_node=load.cpus_per_node))
    assert found.nodes_wanted is not None
    assert abs(found.nodes_wanted - nodes_wanted(load, SHAPE.target_stall_percent)) <= 1


positive = st.floats(1e-6, 1e3)


@given(read=positive, step=positive, rate=positive, nodes=st.integers(1, 50), each=st.integers(1, 64))
def test_the_nodes_that_are_wanted_keep_the_stall_low_and_one_less_does_not(
    read: float, step: float, rate: float, nodes: int, each: int
) -> None:
    costs = Costs(read, {"transform": step}, 100, 100, trainer_rate=rate)
    shape = Shape(2, nodes, each, 1 << 30)
    wanted = forecast(costs, shape).nodes_wanted
    assert wanted is not None
    stall = forecast(costs, replace(shape, data_nodes=wanted)).stall_percent
    assert stall is not None and stall <= SHAPE.target_stall_percent + 1e-6
    if wanted > 1:
        fewer = forecast(costs, replace(shape, data_nodes=wanted - 1)).stall_percent
        assert fewer is not None and fewer > SHAPE.target_stall_percent - 1e-6


def test_rows_that_steps_leave_out_cost_time_and_reach_no_trainer() -> None:
    half, whole = forecast(replace(COSTS, kept=0.5), SHAPE), forecast(COSTS, SHAPE)
    assert half.rows_per_second_had == pytest.approx(whole.rows_per_second_had / 2)
    assert half.epoch_seconds == pytest.approx(whole.epoch_seconds)


def test_an_epoch_lasts_as_long_as_the_slower_of_both_takes() -> None:
    assert forecast(COSTS, SHAPE).epoch_seconds == pytest.approx(1_000_000 / (0.97 * 4 / 0.005))
    assert forecast(COSTS, replace(SHAPE, data_nodes=9)).epoch_seconds == pytest.approx(1_000_000 / 1600)


def test_without_the_trainers_pace_nothing_is_claimed_that_depends_on_it() -> None:
    found = forecast(replace(COSTS, trainer_rate=None), SHAPE)
    assert (found.stall_percent, found.nodes_wanted, found.epoch_seconds) == (None, None, None)
    assert "How fast trainers are is not known here: give it with --trainer-rate." in page(found, "measured")


def test_a_limit_of_data_workers_that_no_number_of_nodes_overcomes_is_told() -> None:
    text = page(forecast(COSTS, replace(SHAPE, max_workers=2)), "measured")
    assert "the steps' concurrency allows 2 data" in text


def test_the_page_says_what_to_do_in_80_columns() -> None:
    text = page(forecast(COSTS, SHAPE), "imagenet: measured on 512 rows.")
    assert max(map(len, text.splitlines())) <= 80
    assert "Set spec.data.numNodes to 2, or let the group grow with spec.data.maxNodes." in text
    assert "stall below 5%       2 data nodes (8 data CPUs)" in text


def test_the_costliest_part_is_named_where_a_cheaper_one_would_save_a_node() -> None:
    text = page(forecast(replace(COSTS, trainer_rate=800), SHAPE), "measured")
    advice = (
        "Make transforms[0] cheaper first: transforms[0] is 60.0% of a row's cost; at half of it 3 data nodes would do."
    )
    assert advice in " ".join(text.split())


def test_a_group_that_is_too_large_is_told() -> None:
    text = page(forecast(COSTS, replace(SHAPE, data_nodes=5)), "measured")
    assert "The data group is large enough; 3 data nodes fewer would do." in text


def test_an_object_store_that_is_too_small_is_told() -> None:
    text = page(forecast(COSTS, replace(SHAPE, budget_bytes_per_node=1 << 20)), "measured")
    assert "The object store is too small for that" in " ".join(text.split())


def test_the_document_is_plain_json_with_the_same_numbers() -> None:
    found = forecast(COSTS, SHAPE)
    values = json.loads(json.dumps(document(found, "measured")))
    assert values["secondsPerRow"] == {"reading": 0.001, "transforms[0]": 0.003, "transforms[1]": 0.001}
    assert values["nodesWanted"] == found.nodes_wanted
    assert values["stallPercent"] == found.stall_percent
