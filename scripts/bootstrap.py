"""From a bare Python to a program in the locked environment: `python3 scripts/bootstrap.py [--as-is] PROGRAM [ARGS]`.

The environment is built by onaiml itself, and onaiml needs three packages for that. This file fetches those three,
with the hashes of poetry.lock, into a small virtualenv of their own, and hands over. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# psutil and packaging are what onaiml's installer imports; uv makes it five times faster than pip.
NEEDED = ("packaging", "psutil", "uv")


def fail(message: str, hint: str) -> None:
    """Say what is wrong and what to type next; exit 3, as onaiml does when it refuses before any change."""
    sys.stderr.write(f"Error: {message}\n  → {hint}\n")
    raise SystemExit(3)


def pins() -> str:
    """The requirements of the small virtualenv, from poetry.lock."""
    import tomllib

    lines = []
    try:
        for package in tomllib.loads((ROOT / "poetry.lock").read_text(encoding="utf-8"))["package"]:
            if package["name"] in NEEDED:
                hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
                lines.append(f"{package['name']}=={package['version']} {hashes}\n")
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"poetry.lock cannot be read: {error}.", "Restore it with `git checkout poetry.lock`.")
    return "".join(lines)


def install_venv_module() -> None:
    """Debian splits venv from Python. As root on Debian one safe command brings it; elsewhere say which."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", "python3-venv"]
    debian = Path("/etc/debian_version").is_file()
    if not (debian and os.geteuid() == 0 and sys.executable.startswith("/usr/bin/")):
        hint = f"As root type `{' '.join(command)}`" if debian else "Install the venv module of this Python"
        fail(f"{sys.executable} cannot make virtualenvs: its venv module is not installed.", f"{hint}, then again.")
    sys.stderr.write(f"· {' '.join(command)}\n")
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=False, env=variables, stdout=sys.stderr)
    if subprocess.run([*command, "-qq"], check=False, env=variables, stdout=sys.stderr).returncode:
        fail("apt-get could not install python3-venv.", f"Look above, mend that, or type `{' '.join(command)}`.")


def has_venv() -> bool:
    return subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0


def small_virtualenv() -> Path:
    """The interpreter of the small virtualenv, made when it is not there; its stamp is written last."""
    wanted = pins()
    # As onaiml itself: the specification says that a relative value is to be ignored.
    data = os.environ.get("XDG_DATA_HOME", "")
    data = data if os.path.isabs(data) else str(Path.home() / ".local" / "share")
    key = hashlib.sha256(f"{sys.version}{sys.executable}{wanted}".encode()).hexdigest()[:12]
    venv = Path(data) / "onaiml" / "bootstrap" / key
    python, stamp = venv / "bin" / "python", venv / "complete"
    if stamp.is_file() and python.exists():
        return python
    if not has_venv():
        install_venv_module()
    sys.stderr.write("· Prepare the installer (once)\n")
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        requirements = venv / "requirements.txt"
        requirements.write_text(wanted, encoding="utf-8")
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*command, "--require-hashes", "--no-deps", "-r", str(requirements)], check=True)
        stamp.touch()
    except subprocess.CalledProcessError:
        fail("The installer could not be fetched.", "Look above; check the network and the disk, then run it again.")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}.", "Choose another place with XDG_DATA_HOME, or free some space.")
    return python


def main() -> None:
    """Build the environment and become the program."""
    if sys.version_info < (3, 11):
        fail(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", "Try `make PYTHON=python3.11 up`.")
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    # With --as-is an environment of an older lock will do: `make down` must work when nothing can be built.
    as_is = sys.argv[1:2] == ["--as-is"]
    try:
        python = small_virtualenv()
        build = [str(python), "-m", "onaiml_cli.environment.build", str(ROOT), *(["--as-is"] if as_is else [])]
        answer = subprocess.run(build, stdout=subprocess.PIPE, text=True, env=variables)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if answer.returncode:
        raise SystemExit(answer.returncode)
    folder = Path(answer.stdout.strip())
    os.environ["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
    os.environ["VIRTUAL_ENV"] = str(folder)
    program = sys.argv[2 if as_is else 1 :] or ["onaiml", "--help"]
    try:
        os.execvp(program[0], program)
    except OSError as error:
        fail(f"{program[0]} cannot be run: {error.strerror}.", "`make help` lists what there is.")


if __name__ == "__main__":
    main()
