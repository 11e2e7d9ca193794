"""How long a sample lasts at another time of the week: the kernel equals plain loops over half hours."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from walking_twin import MINUTE, MONDAY_SHIFT, MS, SLOTS, WEEK, lasting

from twin.kernels.workforce import lasts

HOURS = st.one_of(
    st.tuples(st.integers(0, 30), st.integers(1, 17), st.integers(1, 7)).map(
        lambda of: [int(of[0] <= i % 48 < of[0] + of[1] and i // 48 < of[2]) for i in range(SLOTS)]
    ),
    st.lists(st.integers(0, 1), min_size=SLOTS, max_size=SLOTS).filter(any),
)


@settings(max_examples=400, deadline=None)
@given(
    hours=st.one_of(st.just([]), HOURS),
    minute=st.integers(0, WEEK // MINUTE - 1),
    seconds=st.one_of(st.integers(0, 4 * 3600), st.integers(0, 9 * 86400)),
    near=st.integers(-5 * 86400, 5 * 86400),
    weeks=st.integers(2800, 2804),
    wait=st.integers(0, 1),
    pace=st.sampled_from([1.0, 1.0, 0.5, 2.0]),
)
def test_a_sample_lasts_as_plain_loops_say(hours, minute, seconds, near, weeks, wait, pace):
    at = weeks * WEEK - MONDAY_SHIFT + minute * MINUTE + near * 1000 * MS
    found = lasts(
        np.array([minute]), np.array([seconds * 1000]), 0, at, np.array(hours, np.int64), wait, pace
    )  # fmt: skip
    assert found == lasting(minute, seconds * 1000 * MS, at, hours, wait, pace)


def test_work_begun_before_the_close_goes_on_in_the_morning():
    """Hours from 9 to 17, Monday to Friday; a sample of 40 minutes begun on Monday at 16:10."""
    hours = np.array([int(18 <= i % 48 < 34 and i // 48 < 5) for i in range(SLOTS)])
    monday = 2800 * WEEK - MONDAY_SHIFT
    sample = (np.array([16 * 60 + 10]), np.array([40 * 60_000]), 0)
    for begin, ends in ((16 * 60 + 15, 16 * 60 + 55), (16 * 60 + 50, 24 * 60 + 9 * 60 + 30)):
        assert lasts(*sample, monday + begin * MINUTE, hours, 0, 1.0) == (ends - begin) * MINUTE
    friday = 4 * 1440 + 16 * 60 + 50
    assert lasts(*sample, monday + friday * MINUTE, hours, 0, 1.0) == (3 * 1440 - 16 * 60 - 50 + 9 * 60 + 30) * MINUTE
