"""Names fit KubeRay's limit, are the same after a restart, and differ where two objects may exist at once."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rendered_runs import UID, run_object

from trainingrun.naming import managed_selector, object_labels, ray_job_name, run_selector

run_names = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
attempts = st.integers(0, 10**9)


def test_a_name_is_made_of_run_uid_and_attempt():
    assert ray_job_name("digits", UID, 0) == "digits-kxiy3-0"


@given(run_names, st.uuids().map(str), attempts)
def test_every_name_is_a_dns_label_that_kuberay_accepts(name, uid, attempt):
    made = ray_job_name(name, uid, attempt)
    assert len(made) <= 47
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", made)
    assert made.startswith(name[:30].rstrip("-")) and made.endswith(f"-{attempt}")


@given(run_names, st.sets(attempts, min_size=2, max_size=2))
def test_attempts_of_a_run_never_share_a_name(name, numbers):
    assert len({ray_job_name(name, UID, number) for number in numbers}) == 2


def test_a_run_made_again_under_its_old_name_gets_other_names():
    assert ray_job_name("digits", "1", 0) != ray_job_name("digits", "2", 0)


def test_a_cut_never_leaves_a_double_dash():
    assert "--" not in ray_job_name("a" * 38 + "-" + "b" * 24, UID, 0)


def test_the_selectors_find_what_the_labels_say():
    labels = {f"{key}={value}" for key, value in object_labels(run_object(), 3).items()}
    assert {run_selector(UID), managed_selector()} <= labels
    assert "trainingrun.dev/attempt=3" in labels
