"""Waiting, with a clock that moves only when asked."""

from __future__ import annotations

from datetime import UTC

import pytest

from onaiml_cli.core.clock import SystemClock, human_age, wait_until
from tests.conftest import FakeClock


def test_wait_until_answers_at_once_without_a_pause(clock: FakeClock) -> None:
    assert wait_until(lambda: "here", clock=clock, timeout=5) == "here"
    assert clock.slept == []


def test_wait_until_takes_a_false_answer_for_an_answer(clock: FakeClock) -> None:
    assert wait_until(lambda: 0, clock=clock, timeout=5) == 0


def test_wait_until_pauses_longer_each_time_up_to_the_longest(clock: FakeClock) -> None:
    answers = iter([None] * 6 + [1])
    assert wait_until(lambda: next(answers), clock=clock, timeout=60, first=1, longest=3) == 1
    assert clock.slept == [1, 1.5, 2.25, 3, 3, 3]


def test_wait_until_asks_a_last_time_at_the_deadline_and_never_after(clock: FakeClock) -> None:
    asked: list[float] = []

    def ready() -> None:
        asked.append(clock.monotonic())

    assert wait_until(ready, clock=clock, timeout=2.5, first=1, longest=1) is None
    assert asked == [0, 1, 2, 2.5]


def test_wait_until_with_no_time_asks_once(clock: FakeClock) -> None:
    assert wait_until(lambda: None, clock=clock, timeout=0) is None
    assert clock.slept == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-3, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (7500, "2h 5m")),
        *((86400, "1d"), (86400 * 3 + 4 * 3600, "3d 4h"), (86400 + 60, "1d")),
    ],
)
def test_human_age(seconds: float, text: str) -> None:
    assert human_age(seconds) == text


def test_the_systems_clock_knows_its_zone_and_does_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= before
