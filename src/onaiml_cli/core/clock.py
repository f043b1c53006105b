"""Time as a parameter, so that deadlines, polls and idle limits are tested without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What waits and what tells the time."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def wait_until(
    ready: Callable[[], T | None], *, clock: Clock, timeout: float, first: float = 0.05, longest: float = 1.0
) -> T | None:
    """Ask `ready` until it answers something, at growing intervals; None when `timeout` seconds have passed."""
    deadline = clock.monotonic() + timeout
    pause = first
    while True:
        answer = ready()
        if answer is not None:
            return answer
        left = deadline - clock.monotonic()
        if left <= 0:
            return None
        clock.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)


def human_age(seconds: float) -> str:
    """`12s`, `3m`, `2h 5m`, `3d 4h`: short enough for a table."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour}h" if hour else f"{days}d"
    if hours:
        return f"{hours}h {minute}m" if minute else f"{hours}h"
    return f"{minutes}m" if minutes else f"{second}s"
