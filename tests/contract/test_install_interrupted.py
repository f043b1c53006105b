"""Builds that are killed, stopped or out of disk: never taken for whole, and mended by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from onaiml_cli.core.errors import DriftError
from onaiml_cli.core.project import Project
from onaiml_cli.environment.service import guard
from tests.conftest import MakeProject
from tests.contract.index import Index
from tests.contract.installs import (
    INSTALLERS,
    build,
    environment_of,
    names,
    refused,
    running,
)
from tests.small import full_disk

# Interrupted


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_after_a_full_disk_the_next_run_succeeds(
    project: MakeProject, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str
) -> None:
    made = project(index.add("first"), index.add("heavy", payload=os.urandom(30_000_000)))
    # The virtualenv and pip fit, the package does not.
    with full_disk(tmp_path / "disk", size="28m") as disk:
        monkeypatch.setenv("XDG_DATA_HOME", str(disk))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        refused(environment_of(made, installer), "E_DISK_FULL")
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        environment = environment_of(made, installer)
        build(environment)
        assert names(environment) == ["first 1.0", "heavy 1.0"]


BUILD = """
import sys
from pathlib import Path
from onaiml_cli.environment.build import main
sys.exit(main(Path(sys.argv[1])))
"""


def _start_build(project: Project, installer: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "ONAIML_ENVIRONMENT_INSTALLER": installer}
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(project.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_killed_build_is_never_taken_for_a_whole_one(project: MakeProject, index: Index, installer: str) -> None:
    made = project(index.add("first"), index.add("second"))
    environment = environment_of(made, installer)
    index.gate.clear()
    with _start_build(made, installer) as killed:
        assert index.asked.wait(60)
        killed.kill()
        killed.wait(30)
    assert environment.path.is_dir()
    assert not environment.complete
    assert environment.difference() is None
    with pytest.raises(DriftError, match="not built"):
        guard(environment)
    # The orphaned installer still waits for its answer: it must not write into what the next run builds.
    orphans = running(environment)
    assert orphans
    index.asked.clear()
    with _start_build(made, installer) as again:
        assert index.asked.wait(60)
        assert not any(orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE for orphan in orphans)
        index.gate.set()
        out, err = again.communicate(timeout=60)
    assert (again.returncode, out.strip()) == (0, str(environment.path)), err
    assert names(environment) == ["first 1.0", "second 1.0"]
    assert running(environment) == []
    assert sorted(entry.name for entry in environment.home.iterdir()) == [environment.path.name]


@pytest.mark.parametrize("installer", INSTALLERS)
def test_ctrl_c_ends_the_installer_too(project: MakeProject, index: Index, installer: str) -> None:
    made = project(index.add("first"))
    environment = environment_of(made, installer)
    index.gate.clear()
    with _start_build(made, installer) as stopped:
        assert index.asked.wait(60)
        stopped.send_signal(signal.SIGINT)
        out, err = stopped.communicate(timeout=60)
    assert (stopped.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert "Stopped" in err
    assert running(environment) == []
    assert not environment.complete


def test_two_builds_at_once_make_one_environment(project: MakeProject, index: Index) -> None:
    made = project(index.add("first"))
    index.gate.clear()
    with _start_build(made, "uv") as one:
        assert index.asked.wait(60)
        with _start_build(made, "uv") as two:
            assert two.stderr is not None
            seen = iter(two.stderr.readline, "")
            assert any("Build the environment" in line for line in seen)
            index.gate.set()
            assert one.communicate(timeout=60)[0] == two.communicate(timeout=60)[0]
            assert (one.returncode, two.returncode) == (0, 0)
