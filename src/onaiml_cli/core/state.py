"""What the command line remembers between calls, so that a crash, a second terminal or a reboot loses nothing.

Everything is a small JSON document under the state folder: mode 0600, written whole or not at all, with a schema
number and migrations. One lock a resource keeps two commands from working on the same thing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onaiml_cli.core.clock import Clock, SystemClock
from onaiml_cli.core.errors import LocalSystemError, from_os_error

Document = dict[str, Any]
Migration = Callable[[Document], Document]


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification says that a relative value is to be ignored.
    base = Path(value) if value and Path(value).is_absolute() else Path.home() / default
    return base / "onaiml"


def state_home() -> Path:
    """Where documents, logs and locks lie: `$XDG_STATE_HOME/onaiml`, `~/.local/state/onaiml` by default."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def data_home() -> Path:
    """Where environments and imported data lie: `$XDG_DATA_HOME/onaiml`, `~/.local/share/onaiml` by default."""
    return _xdg("XDG_DATA_HOME", ".local/share")


def private_folder(path: Path) -> Path:
    """Make `path` with mode 0700, and so each folder above it that is missing.

    Raises LocalSystemError when it cannot be made.
    """
    try:
        for folder in [*reversed(path.parents), path]:
            # `parents=True` would give the folders between the usual mode.
            if not folder.is_dir():
                folder.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise from_os_error(error) from error
    return path


def write_atomic(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write `text` so that a reader or a crash sees the old file or the new one, never a part.

    Raises LocalSystemError when the disk is full or the folder refuses; the old file is then untouched.
    """
    private_folder(path.parent)
    name = ""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
        name = ""
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise from_os_error(error) from error
    finally:
        # Whatever went wrong, Ctrl-C too: no part is left beside the whole.
        if name:
            with contextlib.suppress(OSError):
                os.unlink(name)


@dataclass(frozen=True)
class Store:
    """JSON documents of one kind below one folder.

    Attributes:
        folder: where they lie, one file a document.
        schema: the number this version writes.
        migrations: from schema n to n + 1, by n; all of them are applied on reading an older document.
    """

    folder: Path
    schema: int = 1
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def read(self, name: str) -> Document | None:
        """The document, brought to this version's schema; None when there is none.

        A document that is not JSON (a torn disk) is put aside and counts as absent: what it described is found again
        by looking at the world, which every service can do. Raises LocalSystemError for one of a newer version.
        """
        path = self.path(name)
        try:
            document: Document = json.loads(path.read_text(encoding="utf-8"))
            version = int(document.get("schema", 0))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            with contextlib.suppress(OSError):
                os.replace(path, path.with_suffix(".broken"))
            return None
        except OSError as error:
            raise from_os_error(error) from error
        if version > self.schema:
            raise LocalSystemError(
                f"{path} was written by a newer onaiml (schema {version}, this one knows {self.schema}).",
                hint="Update onaiml, or move that file away to start afresh.",
                code="E_STATE_NEWER",
            )
        while version < self.schema:
            migrate = self.migrations.get(version)
            document = migrate(document) if migrate else document
            version += 1
            document["schema"] = version
        return document

    def write(self, name: str, document: Document) -> None:
        """Keep the document under `name`."""
        write_atomic(self.path(name), json.dumps({**document, "schema": self.schema}, indent=1, sort_keys=True) + "\n")

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path(name).unlink()

    def names(self) -> list[str]:
        """The names of all documents, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob("*.json"))


@contextlib.contextmanager
def lock(
    path: Path,
    purpose: str,
    *,
    timeout: float = 600.0,
    clock: Clock | None = None,
    waiting: Callable[[str], None] = lambda holder: None,
) -> Iterator[None]:
    """Hold the resource behind `path` for as long as the block runs.

    The lock is the kernel's (flock), so it ends with the process however that ends, and no stale lock exists.
    `waiting` is told once who holds it. Raises LocalSystemError (E_BUSY) after `timeout` seconds.
    """
    time = clock or SystemClock()
    private_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise from_os_error(error) from error
    held = False
    try:
        deadline = time.monotonic() + timeout
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
                break
            except BlockingIOError:
                holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another onaiml"
                if not told:
                    waiting(holder)
                    told = True
                if time.monotonic() >= deadline:
                    raise LocalSystemError(
                        f"{holder} is still at work on this.",
                        hint="Wait for it, or end it, then run the same command again.",
                        code="E_BUSY",
                        retryable=True,
                    ) from None
                time.sleep(0.1)
        # The name is a courtesy: on a full disk a command must still be able to stop things.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"`{purpose}` (process {os.getpid()})".encode(), 0)
        yield
    finally:
        # Who gave up waiting must not wipe out the holder's name.
        if held:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
        os.close(handle)
