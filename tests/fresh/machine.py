"""A bare Debian machine for one test, made of Linux namespaces.

Containers need an engine; a chroot alone leaves mounts and daemons behind when a test dies. Here one process, the
machine's init, holds a mount and a PID namespace and reads its standard input. The kernel ends every process and
every mount of the machine as soon as init ends, and init ends when this test's end of the pipe closes: also when
pytest is killed. Its disk is a tmpfs (some 4 GB when the suite has run) and is gone with it, at once.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Runs as root in the new namespaces: $1 an empty folder, $2 the file system's archive, $3 a data folder to lend
# read-only, or nothing, $4 the program of init.
_BOOT = r"""
set -eu
root=$1 data=$3
mount -t tmpfs -o mode=755 tmpfs "$root"
tar -xpf "$2" --numeric-owner -C "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for node in null zero full random urandom tty; do
  : >"$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done
if [ -n "$data" ]; then
  mkdir -p "$root/srv/data"
  mount --bind "$data" "$root/srv/data"
  mount -o remount,bind,ro "$root/srv/data"
fi
hostname fresh
exec chroot "$root" python3 -c "$4"
"""

# Orphans are reaped by the kernel when their parent ignores SIGCHLD, as a real init would reap them.
_INIT = """
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
sys.stdin.read()
"""

_HOST_CA = "etc/ssl/host-ca.crt"
_CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL")


@dataclass(frozen=True)
class Ran:
    """One command that came to its end on the machine."""

    code: int
    output: str


class FreshMachine:
    """A machine made of ``rootfs``; a context manager. Only the logs in ``folder`` outlive the block.

    ``data`` is a folder lent read-only as /srv/data. ``environ`` is the host's: only what the host needs to reach
    its package registries (a CA bundle, a proxy) is passed on.
    """

    def __init__(self, rootfs: Path, folder: Path, data: Path | None, environ: Mapping[str, str]) -> None:
        self._mount_point = folder / "root"
        self._logs = folder / "logs"
        self._rootfs = rootfs
        self._data = data
        self._environ = environ
        self._runs = 0
        self._holder: subprocess.Popen[str] | None = None
        self._init_pid = 0

    def __enter__(self) -> Self:
        self._mount_point.mkdir(parents=True)
        self._logs.mkdir()
        try:
            self._boot()
            self._write_settings()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the machine; its disk goes with them."""
        if self._holder is None:
            return
        try:
            self._holder.communicate(timeout=60)  # init reads the end of its input, and takes all with it
        except subprocess.TimeoutExpired:
            self._holder.kill()  # and init with it (--kill-child)
            self._holder.communicate()
        self._holder = None

    @property
    def root(self) -> Path:
        """The machine's root folder as this process, outside of it, reaches it."""
        return Path(f"/proc/{self._init_pid}/root")

    def run(self, command: str, *, user: str = "root", timeout: float) -> Ran:
        """Run ``command`` in a new login of ``user`` and wait for it, not for daemons that it leaves running.

        The output goes to a file: a daemon that keeps it open does not hold this call up.
        """
        self._runs += 1
        log = self._logs / f"{self._runs:02}.log"
        enter = ["nsenter", f"--target={self._init_pid}", "--mount", "--pid", "--ipc", "--uts", "--root", "--wd"]
        with log.open("w") as output:
            output.write(f"{user}@fresh$ {command}\n")
            output.flush()
            login = subprocess.Popen(
                [*enter, "su", "-", user, "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            )
            try:
                code = login.wait(timeout)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"no end after {timeout:.0f} s:\n{log.read_text()[-6000:]}") from None
            finally:
                login.kill()
                login.wait()
        return Ran(code, log.read_text(errors="replace"))

    def must(self, command: str, *, user: str = "root", timeout: float) -> str:
        """The output of a command that has to work; when it does not, its output is the failure."""
        ran = self.run(command, user=user, timeout=timeout)
        assert ran.code == 0, f"exit code {ran.code}:\n{ran.output[-6000:]}"
        return ran.output

    def processes(self) -> list[str]:
        """Command lines of all that runs on the machine, less its init."""
        namespace = Path(f"/proc/{self._init_pid}/ns/pid").readlink()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if int(process.name) != self._init_pid and (process / "ns/pid").readlink() == namespace:
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:  # ended while we looked
                continue
        return found

    def copy_project(self, source: Path, owner: str, target: str) -> None:
        """Copy what git tracks or would track: a clone with the work in progress, without what was built here."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=source,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, set(listed.split("\0"))):
            if (source / name).is_symlink() or (source / name).is_file():  # a deleted file is still in the index
                copy = self.root / target.lstrip("/") / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, copy, follow_symlinks=False)
        self.must(f"chown -R {owner}: {target}", timeout=60)

    def _boot(self) -> None:
        unshare = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        data = str(self._data) if self._data else ""
        self._holder = subprocess.Popen(
            [*unshare, "sh", "-c", _BOOT, "boot", str(self._mount_point), str(self._rootfs), data, _INIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        assert said == "ready\n", f"the machine did not start: {said}"
        holder = self._holder.pid
        self._init_pid = int(Path(f"/proc/{holder}/task/{holder}/children").read_text())

    def _write_settings(self) -> None:
        etc = self.root / "etc"
        (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 fresh\n")
        (etc / "hostname").write_text("fresh\n")
        shutil.copy("/etc/resolv.conf", etc / "resolv.conf")
        for file in Path("/etc/apt/apt.conf.d").glob("99*"):
            shutil.copy(file, etc / "apt/apt.conf.d")
        exports = {name: self._environ[name] for name in _PROXY_VARIABLES if name in self._environ}
        bundles = {name: Path(self._environ[name]) for name in _CA_VARIABLES if name in self._environ}
        for name, bundle in bundles.items():
            shutil.copy(bundle, self.root / _HOST_CA)
            exports[name] = f"/{_HOST_CA}"
        if self._data:
            exports["ONAIML_DATA_HOME"] = "/srv/data"
        exports |= {"ONAIML_FRESH": "1", "LANG": "C.UTF-8"}  # ONAIML_FRESH: this suite does not start itself again
        lines = [f"export {name}='{value}'\n" for name, value in exports.items()]
        (etc / "profile.d/fresh-machine.sh").write_text("".join(lines))
