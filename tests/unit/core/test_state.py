"""Documents that survive full disks, crashes and other versions; locks that end with their holder."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onaiml_cli.core import state
from onaiml_cli.core.errors import LocalSystemError
from onaiml_cli.core.state import Store, lock, private_folder, write_atomic
from tests.conftest import FakeClock
from tests.small import full_disk, python

# Folders


@pytest.mark.parametrize(
    ("home", "variable", "default"),
    [(state.state_home, "XDG_STATE_HOME", ".local/state"), (state.data_home, "XDG_DATA_HOME", ".local/share")],
)
def test_where_things_lie(
    home: object, variable: str, default: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert callable(home)
    monkeypatch.setenv(variable, str(tmp_path))
    assert home() == tmp_path / "onaiml"
    # The specification: a relative value is ignored.
    for value in ("relative/path", ""):
        monkeypatch.setenv(variable, value)
        assert home() == Path.home() / default / "onaiml"


def test_a_private_folder_is_private_and_so_are_the_new_ones_above_it(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o700, 0o700]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalSystemError, match="file"):
        private_folder(tmp_path / "file" / "below")


# Whole or not at all


def test_a_file_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "document"
    write_atomic(path, "text\n")
    assert path.read_text() == "text\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_atomic(path, "again", mode=0o644)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == ["document"]


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """A limit that makes the kernel refuse in the middle of a write, as a full disk does."""
    old_limit, old_handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old_limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)


def test_a_write_that_fails_halfway_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "document"
    write_atomic(path, "old")
    with _largest_file(4096), pytest.raises(LocalSystemError) as caught:
        write_atomic(path, "x" * 100_000)
    assert str(path) in caught.value.message
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["document"]


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk", size="64k") as disk:
        path = disk / "document"
        write_atomic(path, "old")
        with pytest.raises(LocalSystemError) as caught:
            write_atomic(path, "x" * 1_000_000)
        assert caught.value.code == "E_DISK_FULL"
        assert caught.value.retryable
        assert str(path) in caught.value.message
        assert os.listdir(disk) == ["document"]
        assert path.read_text() == "old"


def test_text_that_cannot_be_encoded_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_atomic(tmp_path / "document", "\udc80")
    assert os.listdir(tmp_path) == []


def test_ctrl_c_in_the_middle_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "document", "text")
    assert os.listdir(tmp_path) == []


# Documents


def test_a_document_comes_back_with_its_schema(tmp_path: Path) -> None:
    store = Store(tmp_path / "new", schema=3)
    assert store.read("a") is None
    assert store.names() == []
    store.write("b", {"x": [1, "ü"], "schema": 99})
    store.write("a", {})
    assert store.read("b") == {"x": [1, "ü"], "schema": 3}
    assert store.names() == ["a", "b"]
    assert stat.S_IMODE(store.path("a").stat().st_mode) == 0o600
    store.delete("a")
    store.delete("a")
    assert store.names() == ["b"]


def test_an_older_document_is_brought_up_step_by_step(tmp_path: Path) -> None:
    Store(tmp_path, schema=1).write("a", {"port": 1})
    (tmp_path / "ancient.json").write_text("{}")
    store = Store(
        tmp_path,
        schema=4,
        migrations={1: lambda old: {**old, "port": old["port"] * 10}, 3: lambda old: {**old, "host": "x"}},
    )
    assert store.read("a") == {"port": 10, "host": "x", "schema": 4}
    # Reading changes nothing on disk: an older onaiml may still be in use.
    assert json.loads(store.path("a").read_text()) == {"port": 1, "schema": 1}
    assert Store(tmp_path, schema=1).read("ancient") == {"schema": 1}


def test_a_newer_document_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store(tmp_path, schema=2).write("a", {"x": 1})
    with pytest.raises(LocalSystemError) as caught:
        Store(tmp_path, schema=1).read("a")
    assert caught.value.code == "E_STATE_NEWER"
    assert "Update onaiml" in caught.value.hint
    assert Store(tmp_path, schema=2).read("a") == {"x": 1, "schema": 2}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[1]", b"null", b'{"schema": "x"}', b'{"schema": null}', b'{"schema": [1]}']
)
def test_a_broken_document_is_put_aside_and_counts_as_absent(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path)
    store.path("a").write_bytes(content)
    assert store.read("a") is None
    assert (tmp_path / "a.broken").read_bytes() == content
    assert store.names() == []
    store.write("a", {})
    assert store.read("a") == {"schema": 1}


def test_a_document_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.path("a").mkdir()
    with pytest.raises(LocalSystemError, match=r"a\.json"):
        store.read("a")


# The lock

HOLD = """
import sys
from pathlib import Path
from onaiml_cli.core.state import lock
with lock(Path(sys.argv[1]), sys.argv[2], timeout=60):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def _holder(path: Path, purpose: str = "onaiml env up") -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock until a line is written to it."""
    words = [sys.executable, "-c", HOLD, str(path), purpose]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_told_who_holds_it_and_gives_up_in_time(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "state" / "lock"
    told: list[str] = []
    with _holder(path) as other:
        with pytest.raises(LocalSystemError) as caught, lock(path, "me", timeout=5, clock=clock, waiting=told.append):
            raise AssertionError("held by two")
        name = f"`onaiml env up` (process {other.pid})"
        assert told == [name]
        assert caught.value.message == f"{name} is still at work on this."
        assert (caught.value.code, caught.value.retryable, caught.value.exit_code) == ("E_BUSY", True, 1)
        assert clock.monotonic() == pytest.approx(5, abs=0.11)
        # Who gave up must not have wiped out the holder's name.
        with pytest.raises(LocalSystemError, match=f"process {other.pid}"), lock(path, "me", timeout=0, clock=clock):
            pass


def test_the_lock_is_free_when_the_block_ends_in_whatever_way(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), lock(path, "me"):
        raise ZeroDivisionError
    with lock(path, "me", timeout=0, clock=clock):
        assert path.read_text() == f"`me` (process {os.getpid()})"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == ""


def test_waiting_ends_when_the_holder_lets_go(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "lock"
    with _holder(path) as other:

        def let_go() -> None:
            assert other.stdin is not None
            if not other.stdin.closed:
                other.stdin.write("\n")
                other.stdin.close()
            other.wait(30)

        clock.during = let_go
        with lock(path, "me", timeout=60, clock=clock):
            pass
    assert clock.slept == [pytest.approx(0.1)]


def test_a_killed_holder_holds_nothing(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "lock"
    with _holder(path) as other:
        other.kill()
        other.wait(30)
        with lock(path, "me", timeout=0, clock=clock):
            assert path.read_text() == f"`me` (process {os.getpid()})"


def test_a_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "lock"
    code = HOLD.replace('    print("held"', '    subprocess.Popen(["sleep", "60"])\n    print("held"')
    code = code.replace("import sys", "import subprocess, sys", 1)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), "x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait(30)
        try:
            with lock(path, "me", timeout=0, clock=clock):
                pass
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_full_disk_does_not_keep_a_lock_from_being_taken(tmp_path: Path, clock: FakeClock) -> None:
    """Else nobody could stop a workspace on a full disk."""
    with full_disk(tmp_path / "disk", size="64k") as disk:
        path = disk / "lock"
        path.touch()
        with pytest.raises(OSError, match="No space"):
            (disk / "ballast").write_bytes(b"x" * 1_000_000)
        with lock(path, "me", timeout=0, clock=clock):
            pass


def test_a_place_that_refuses_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(LocalSystemError, match="lock"), lock(tmp_path / "lock", "me"):
        pass


def test_a_reader_never_sees_a_part_while_two_processes_write(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from onaiml_cli.core.state import Store
store = Store(Path(sys.argv[1]))
for _ in range(150):
    store.write("a", {"x": sys.argv[2] * 20_000})
"""
    words = [sys.executable, "-c", code, str(tmp_path)]
    writers = [subprocess.Popen([*words, letter]) for letter in "ab"]
    try:
        store = Store(tmp_path)
        seen = set()
        while any(writer.poll() is None for writer in writers):
            document = store.read("a")
            if document is not None:
                assert len(document["x"]) == 20_000
                seen.add(document["x"][:1])
        assert seen
        assert [writer.returncode for writer in writers] == [0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert not list(tmp_path.glob("*.broken"))


def test_state_is_imported_without_a_heavy_module() -> None:
    code = "import sys, onaiml_cli.core.state; sys.exit(any(name in sys.modules for name in ('rich', 'psutil')))"
    assert python(code).returncode == 0
