"""The stopwatch: what it counts, and that it sees a difference that is there."""

from __future__ import annotations

import time

import pytest

from approxmm.bench.timing import compare, time_once


def test_ratio_of_sleeps_is_seen() -> None:
    """0.4 ms against 4 ms of sleep: a loaded machine makes both longer, hardly the ratio below 2."""
    result = compare("short", lambda: time.sleep(4e-4), "long", lambda: time.sleep(4e-3), threads=1, pairs=5)
    assert result.ratio > 2
    assert result.ratio_low <= result.ratio <= result.ratio_high
    assert result.seconds < result.baseline_seconds
    assert result.to_dict()["threads"] == 1


def test_first_calls_are_not_timed() -> None:
    calls = []

    def slow_at_first() -> None:
        if not calls:
            time.sleep(0.2)
        calls.append(1)

    result = compare("a", slow_at_first, "b", lambda: None, threads=1, pairs=1, seconds=1e-3)
    assert result.seconds < 0.05


def test_a_long_call_is_timed_at_least_once() -> None:
    assert time_once(lambda: time.sleep(0.01), seconds=1e-6) == pytest.approx(0.01, rel=2)
