"""When the Spark server of this machine ends: by leases and a clock that the tests move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from onaiml_cli.core.process import ProcessId
from onaiml_cli.spark import lease
from onaiml_cli.spark.base import SparkStatus
from onaiml_cli.spark.keeper import keep
from tests.conftest import FakeClock


@dataclass
class Server:
    """A Spark server as the keeper sees it."""

    home: Path
    state: str = "up"
    stops: list[float] = field(default_factory=list)
    clock: FakeClock | None = None

    @property
    def leases(self) -> Path:
        return self.home / "leases"

    def status(self) -> SparkStatus:
        return SparkStatus(self.state)  # type: ignore[arg-type]

    def stop(self) -> bool:
        assert self.clock is not None
        self.stops.append(self.clock.seconds)
        self.state = "down"
        return True


@pytest.fixture
def server(tmp_path: Path, clock: FakeClock) -> Server:
    return Server(tmp_path, clock=clock)


@pytest.fixture
def holder() -> Iterator[psutil.Popen]:
    with psutil.Popen(["sleep", "600"]) as process:
        yield process
        if process.is_running():
            process.kill()


def _grant(server: Server, process: psutil.Popen) -> Path:
    identity = ProcessId.of(process.pid)
    assert identity is not None
    return lease.grant(server.leases, identity)


def _touch(path: Path, clock: FakeClock) -> None:
    os.utime(path, (clock.now().timestamp(), clock.now().timestamp()))


def _keep(server: Server, clock: FakeClock, idle_after: float) -> str:
    return keep(server, clock=clock, idle_after=idle_after)  # type: ignore[arg-type]


def test_a_server_that_nobody_ever_used_ends_after_a_minute(server: Server, clock: FakeClock) -> None:
    assert _keep(server, clock, 1800) == "nobody uses it any more"
    assert server.stops == [60]


def test_it_stays_while_a_kernel_works_and_ends_when_that_has_been_idle(
    server: Server, clock: FakeClock, holder: psutil.Popen
) -> None:
    path = _grant(server, holder)

    def work() -> None:
        if clock.seconds <= 5000:
            _touch(path, clock)

    _touch(path, clock)
    clock.during = work
    assert _keep(server, clock, 1800) == "idle"
    assert server.stops == [6800]


def test_it_ends_a_minute_after_its_last_kernel(server: Server, clock: FakeClock, holder: psutil.Popen) -> None:
    path = _grant(server, holder)

    def live_then_die() -> None:
        if clock.seconds < 1000:
            _touch(path, clock)
        elif holder.is_running():
            holder.kill()
            holder.wait()

    _touch(path, clock)
    clock.during = live_then_die
    assert _keep(server, clock, 1800) == "nobody uses it any more"
    assert server.stops == [1055]
    assert not path.exists()


def test_a_limit_shorter_than_the_kernels_sign_of_life_ends_no_working_kernel(
    server: Server, clock: FakeClock, holder: psutil.Popen
) -> None:
    path = _grant(server, holder)

    def every_twenty_seconds() -> None:
        if clock.seconds % 20 == 0 and clock.seconds <= 600:
            _touch(path, clock)

    _touch(path, clock)
    clock.during = every_twenty_seconds
    _keep(server, clock, 1)
    assert server.stops == [660]


def test_the_keeper_ends_with_its_server(server: Server, clock: FakeClock) -> None:
    def die() -> None:
        server.state = "dead"

    clock.during = die
    assert _keep(server, clock, 1800) == "the server ended by itself"
    assert server.stops == []


def test_a_lease_of_a_pid_that_is_another_program_now_does_not_count(tmp_path: Path, holder: psutil.Popen) -> None:
    lease.grant(tmp_path, ProcessId(holder.pid, "another-boot.1"))
    assert lease.last_active(tmp_path) is None
    (tmp_path / "torn.lease").write_text("12")
    assert list(lease.living(tmp_path)) == []
