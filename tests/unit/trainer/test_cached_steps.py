"""What is kept are the leading steps that are the same in every epoch, and no step that only looks like one."""

from __future__ import annotations

import pytest
from block_samples import block

from trainingrun_trainer.data.cached_steps import applied, refuse_random, split
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.table_notes import vanished_of
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import InvalidConfiguration

KINDS = {"flip": "Row", "keep_even": "Row", "twice": "Row", "noise": "Row", "Plain": "Class", "Seeded": "Class"}


def chain(*names: str) -> Chain:
    kinds = {**KINDS, "Marked": "Class"}
    return Chain(
        tuple(
            Step(f"cached_functions:{name}", kinds.get(name, "Batch"), path=f"spec.recipe.transforms[{place}]")
            for place, name in enumerate(names)
        )
    )


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ((), 0),
        (("halve", "Plain"), 2),
        (("halve", "flip", "halve"), 1),
        (("flip", "halve"), 0),
        (("Plain", "Seeded"), 1),
        (("halve", "marked"), 1),
        (("halve", "Marked"), 1),
    ],
)
def test_steps_up_to_the_first_random_one_are_kept(names: tuple[str, ...], kept: int) -> None:
    steps, behind = split(chain(*names))
    whole = chain(*names).steps
    assert steps.steps == whole[:kept]
    assert (behind.steps if behind else ()) == whole[kept:]


def test_a_seed_among_the_parameters_is_no_random_one() -> None:
    step = Step("cached_functions:flip", "Row", parameters={"seed": 3})
    assert split(Chain((step,)))[0].steps == (step,)


def test_results_that_stay_the_same_pass() -> None:
    refuse_random(chain("halve", "with_nan", "keep_even", "Plain"), block())


@pytest.mark.parametrize("name", ["noise", "own_noise"])
def test_a_step_that_draws_numbers_without_a_seed_is_refused(name: str) -> None:
    with pytest.raises(
        InvalidConfiguration, match=rf"^spec\.recipe\.transforms\[1\] \(cached_functions:{name}\): gives"
    ):
        refuse_random(chain("halve", name), block())


def test_rows_that_are_left_out_are_told_and_several_of_one_are_refused() -> None:
    rows = block()
    assert len(vanished_of(applied(chain("keep_even"), rows))) == 3
    assert applied(chain(), rows) is rows
    with pytest.raises(InvalidConfiguration, match="makes several of one row"):
        applied(chain("twice"), rows)
