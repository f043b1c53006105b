"""scripts/bootstrap.py: from a bare Python to a program in the locked environment, and what it says when that fails."""

from __future__ import annotations

import hashlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from onaiml_cli.core.project import Project
from onaiml_cli.environment.base import own_interpreter
from tests.conftest import MakeProject
from tests.contract.index import Index, serving
from tests.small import Pin, full_disk

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / "scripts" / "bootstrap.py"
NOBODY = 65534


@dataclass
class Checkout:
    """A small repo with the real script and the real sources beside its own lock."""

    root: Path
    data: Path
    python: Path

    @property
    def script(self) -> Path:
        return self.root / "scripts" / "bootstrap.py"

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "XDG_DATA_HOME": str(self.data)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, "-W", "error", self.script, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environ,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    def prepare(self) -> None:
        """The small virtualenv as the script leaves it, made of this environment's packages: nothing is fetched."""
        ask = f"import runpy; print(runpy.run_path({str(self.script)!r})['pins']())"
        pins = subprocess.run([self.python, "-c", ask], capture_output=True, text=True, check=True).stdout[:-1]
        version = subprocess.run(
            [self.python, "-c", "import sys; print(sys.version + sys.executable)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout[:-1]
        key = hashlib.sha256(f"{version}{pins}".encode()).hexdigest()[:12]
        venv = self.data / "onaiml" / "bootstrap" / key
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", self.python, venv], check=True)
        (site,) = venv.glob("lib/python3.*/site-packages")
        ours = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
        (site / "ours.pth").write_text(f"{ours}\n")
        (venv / "bin" / "uv").symlink_to(uv)
        (venv / "complete").touch()

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if any(str(self.data) in word for word in process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found


def _checkout(project: Project, data: Path, python: Path | None = None) -> Checkout:
    (project.root / "scripts").mkdir()
    shutil.copy(SCRIPT, project.root / "scripts")
    (project.root / "src").symlink_to(REPO / "src")
    return Checkout(project.root, data, python or own_interpreter())


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    with serving(Index()) as served:
        for name in list(os.environ):
            if name.startswith(("PIP_", "UV_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("UV_INDEX_URL", served.url())
        monkeypatch.setenv("PIP_INDEX_URL", served.url())
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        yield served


# All is well


def test_a_program_runs_in_the_locked_environment(project: MakeProject, index: Index, tmp_path: Path) -> None:
    here = _checkout(project(index.add("first")), tmp_path / "data")
    here.prepare()
    code = "import first, os, shutil; print(first.version, os.environ['VIRTUAL_ENV'], shutil.which('python'))"
    status, out, err = here.run("python", "-c", code)
    assert status == 0, err
    version, folder, python = out.split()
    assert (version, python) == ("1.0", f"{folder}/bin/python")
    assert Path(folder).parent.parent == tmp_path / "data" / "onaiml" / "environments"
    assert "Build the environment" in err
    # The second time nothing is said or built; the program's exit code is ours.
    index.wheels.clear()
    assert here.run("python", "-c", "raise SystemExit(7)") == (7, "", "")


def test_the_small_virtualenv_is_made_of_the_locks_files(project: MakeProject, index: Index, tmp_path: Path) -> None:
    """With the hashes of the lock: another file is refused before anything runs."""
    index.add("packaging", "24.2")
    here = _checkout(project(Pin("packaging", "24.2", hashes=(f"sha256:{'0' * 64}",))), tmp_path / "data")
    status, out, err = here.run("true")
    assert (status, out) == (3, "")
    assert "DO NOT MATCH THE HASHES" in err
    assert "Error: The installer could not be fetched." in err
    assert not list((tmp_path / "data").rglob("complete"))


def test_what_it_needs_is_what_the_builder_imports(project: MakeProject) -> None:
    """With everything else out of reach, the builder can still be imported."""
    needed = runpy.run_path(str(SCRIPT))["NEEDED"]
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.partition('.')[0]\n"
        f"        if top not in sys.stdlib_module_names and top not in {('onaiml_cli', *needed)!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from pathlib import Path\n"
        "from onaiml_cli.environment.build import main\n"
        "from onaiml_cli.core.config import load_config\nfrom onaiml_cli.core.project import load_project\n"
        "from onaiml_cli.environment.service import virtualenv\n"
        "project = load_project(Path(sys.argv[1]))\n"
        "print(len(virtualenv(project, load_config(project)).steps()))\n"
    )
    made = project(Pin("first", markers='sys_platform != "win32"'))
    words = [sys.executable, "-W", "error", "-c", code, str(made.root)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ran.stderr, ran.stdout) == ("", "1\n")


# What is missing or broken


def test_a_python_without_venv_is_told_what_to_install(project: MakeProject, tmp_path: Path) -> None:
    """Debian's python3 without python3-venv; not under /usr/bin, so nothing is installed by itself."""
    bare = tmp_path / "bare"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", own_interpreter(), bare], check=True)
    (site,) = bare.glob("lib/python3.*/site-packages")
    (site / "without.pth").write_text("import sys; sys.modules['ensurepip'] = None\n")
    here = _checkout(project(Pin("packaging")), tmp_path / "data", bare / "bin" / "python")
    status, out, err = here.run("true")
    assert (status, out) == (3, "")
    assert f"Error: {bare}/bin/python cannot make virtualenvs: its venv module is not installed.\n" in err
    assert ("python3-venv" if Path("/etc/debian_version").exists() else "venv module") in err.splitlines()[-1]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", [None, "", "[[package]\n", '[[package]]\nversion = "1"\n'])
def test_a_broken_lock_is_said_before_anything_is_made(
    project: MakeProject, tmp_path: Path, content: str | None
) -> None:
    here = _checkout(project(), tmp_path / "data")
    (here.root / "poetry.lock").unlink()
    if content is not None:
        (here.root / "poetry.lock").write_text(content)
    status, out, err = here.run("true")
    assert (status, out) == (3, ""), err
    assert err.startswith("Error: poetry.lock cannot be read: ")
    assert "git checkout poetry.lock" in err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "content",
    [
        "package = 3\n",
        '[[package]]\nname = "uv"\nversion = "1"\n',
        '[[package]]\nname = "uv"\nversion = "1"\nfiles = 3\n',
        '[[package]]\nname = "uv"\nversion = "1"\nfiles = ["x"]\n',
    ],
)
def test_a_lock_cut_off_within_a_package_is_said_too(project: MakeProject, tmp_path: Path, content: str) -> None:
    here = _checkout(project(), tmp_path / "data")
    (here.root / "poetry.lock").write_text(content)
    status, out, err = here.run("true")
    assert (status, out) == (3, ""), err
    assert err.startswith("Error: poetry.lock cannot be read: ")


def test_a_stale_lock_is_said_by_the_builder(project: MakeProject, tmp_path: Path) -> None:
    here = _checkout(project(Pin("first")), tmp_path / "data")
    with (here.root / "pyproject.toml").open("a") as file:
        file.write('dependencies = ["first"]\n')
    here.prepare()
    status, out, err = here.run("true")
    assert (status, out) == (3, "")
    assert err.startswith("Error: poetry.lock does not match pyproject.toml")


def test_a_data_folder_that_cannot_be_written(project: MakeProject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = project(Pin("packaging"))
        shutil.copytree(made.root, folder / "repo")
        python, command = own_interpreter(), []
        if os.geteuid() == 0:
            # Root may write everywhere, so somebody else tries, with a Python that everybody may run.
            found, setpriv = shutil.which("python3", path="/usr/bin:/usr/local/bin"), shutil.which("setpriv")
            if not found or not setpriv:
                pytest.skip("needs setpriv and a system-wide python3")
            python = Path(found)
            command = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        (folder / "data").mkdir(mode=0o555)
        shutil.copytree(SCRIPT.parent, folder / "repo" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        environ = {**os.environ, "XDG_DATA_HOME": str(folder / "data"), "PYTHONDONTWRITEBYTECODE": "1"}
        words = [*command, str(python), str(folder / "repo" / "scripts" / "bootstrap.py"), "true"]
        ran = subprocess.run(words, capture_output=True, text=True, check=False, env=environ, cwd=folder)
        assert ran.returncode == 3, ran.stderr
        assert "Traceback" not in ran.stderr
        assert f"Error: {folder}/data/onaiml" in ran.stderr
        assert "Permission denied" in ran.stderr
        assert "XDG_DATA_HOME" in ran.stderr.splitlines()[-1]


def test_a_full_disk(project: MakeProject, tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk", size="1m") as disk:
        here = _checkout(project(Pin("packaging")), disk)
        status, out, err = here.run("true")
        assert (status, out) == (3, "")
        assert "Traceback" not in err.splitlines()[0]
        assert "disk" in err.splitlines()[-1]
        assert not list(disk.rglob("complete"))


# Ctrl-C


def _interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Ctrl-C as a terminal sends it: to the whole group."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_ctrl_c_while_the_installer_is_fetched(project: MakeProject, index: Index, tmp_path: Path) -> None:
    here = _checkout(project(index.add("packaging", "24.2")), tmp_path / "data")
    index.gate.clear()
    with here.start("true") as process:
        assert index.asked.wait(120)
        status, out, err = _interrupt(process)
    assert (status, out) == (130, "")
    # pip prints its own words; ours must not be a traceback.
    assert "small_virtualenv()" not in err
    assert not list((tmp_path / "data").rglob("complete"))
    assert here.processes() == []


def test_ctrl_c_while_the_environment_is_built(project: MakeProject, index: Index, tmp_path: Path) -> None:
    here = _checkout(project(index.add("first")), tmp_path / "data")
    here.prepare()
    index.gate.clear()
    with here.start("true") as process:
        assert index.asked.wait(60)
        status, out, err = _interrupt(process)
    assert (status, out) == (130, "")
    assert "Traceback" not in err
    assert here.processes() == []
    index.gate.set()
    status, _, err = here.run("true")
    assert status == 0, err
