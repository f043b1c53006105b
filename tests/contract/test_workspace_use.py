"""Using a live workspace: exec, test, shell, logs, open, ide."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.workspaces import REPO, Person, copy_of_repo


def test_exec_runs_in_the_environment_at_the_root_and_passes_the_status_on(resident: Person) -> None:
    script = "import os, sys; print(os.path.realpath(sys.prefix), os.getcwd()); sys.exit(7)"
    answer = resident.type("env", "exec", "--", "python", "-c", script, cwd=REPO / "docs")
    assert answer.returncode == 7
    assert answer.stdout.split() == [os.path.realpath(sys.prefix), str(REPO)]


def test_exec_with_json_keeps_stdout_for_the_object(resident: Person) -> None:
    answer = resident.type("env", "exec", "--json", "--", "python", "-c", "print('words'); raise SystemExit(3)")
    document = json.loads(answer.stdout)
    assert answer.returncode == 3
    assert document["exit_code"] == 3
    assert document["ok"] is False
    assert "words" in answer.stderr


def test_exec_of_a_program_that_is_not_there_says_so(resident: Person) -> None:
    answer = resident.type("env", "exec", "--json", "no-such-program")
    assert json.loads(answer.stdout)["error"]["code"] == "E_NO_PROGRAM"
    assert answer.returncode == 3


def test_a_signal_that_ends_the_command_is_told_as_shells_do(resident: Person) -> None:
    answer = resident.type("env", "exec", "--", "python", "-c", "import os; os.kill(os.getpid(), 9)")
    assert answer.returncode == 128 + 9


def test_ctrl_c_reaches_the_command_and_not_us(resident: Person) -> None:
    script = (
        "import signal, sys, time\n"
        "def end(*_): print('tidied up'); sys.exit(4)\n"
        "signal.signal(signal.SIGINT, end)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    process = resident.start("env", "exec", "--", "python", "-c", script, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 4
    assert out == "tidied up\n"


def test_shell_opens_the_persons_shell_in_the_environment(resident: Person) -> None:
    controller, terminal = pty.openpty()
    environ = {**resident.environ, "SHELL": "/bin/sh"}
    words = [sys.executable, "-m", "onaiml_cli", "shell"]
    process = subprocess.Popen(words, cwd=REPO, env=environ, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    os.write(controller, b'echo "is:$(command -v python):$(realpath $VIRTUAL_ENV)"; exit 5\n')
    said = b""
    try:
        while chunk := os.read(controller, 4096):
            said += chunk
    except OSError:
        pass
    os.close(controller)
    assert process.wait(30) == 5
    environment = os.path.realpath(sys.prefix)
    assert f"is:{resident.data}/onaiml/environments/" in said.decode()
    assert f"/bin/python:{environment}" in said.decode()


def test_logs_prints_what_jupyterlab_said(resident: Person) -> None:
    answer = resident.type("env", "logs", "-n", "500")
    assert answer.returncode == 0
    assert "Jupyter Server" in answer.stdout


def test_following_the_logs_ends_with_ctrl_c(resident: Person) -> None:
    someone = replace(resident, warnings="ignore")
    process = someone.start("env", "logs", "-f", "-n", "1")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_open_without_a_browser_prints_the_address(resident: Person) -> None:
    resident.extra.update(DISPLAY="", WAYLAND_DISPLAY="")
    answer = resident.type("env", "open")
    token = Path(resident.ask("env", "status")["workspace"]["token_file"]).read_text()
    assert answer.returncode == 0
    assert answer.stdout.strip().endswith(f"/lab?token={token}")


def test_open_with_a_browser_opens_the_address(resident: Person, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(0o755)
    extra = {**resident.extra, "DISPLAY": ":99", "BROWSER": f"{browser} %s"}
    answer = Person(resident.root, resident.state, resident.data, extra).ask("env", "open")
    assert answer["ok"]
    # With --json nobody sits there, so nothing is opened.
    assert not seen.exists()
    assert Person(resident.root, resident.state, resident.data, extra).type("env", "open").returncode == 0
    assert "/lab?token=" in seen.read_text()


@pytest.mark.parametrize(("assertion", "status", "word"), [("True", 0, "1 passed"), ("1 == 2", 1, "1 failed")])
def test_test_runs_pytest_with_paths_from_where_the_person_is(
    clone: Person, assertion: str, status: int, word: str
) -> None:
    tests = clone.root / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_it.py").write_text(f"def test_one():\n    assert {assertion}\n\ndef test_two():\n    pass\n")
    answer = clone.type("test", "test_it.py::test_one", "--", "-q", cwd=tests)
    assert answer.returncode == status, answer
    assert word in answer.stdout
    if status:
        assert "Tests failed." in answer.stderr


def test_test_that_finds_none_says_so(clone: Person) -> None:
    answer = clone.type("test", "--", "-k", "nothing_is_called_so")
    assert answer.returncode == 1
    assert "found no tests" in answer.stderr


def test_what_is_not_built_is_not_used(tmp_path: Path, person: Person) -> None:
    person.root = copy_of_repo(tmp_path / "repo")
    for words in (["env", "ide", "vscode", "--yes"], ["test"], ["shell"]):
        refused = person.ask(*words)
        assert refused["error"]["code"] == "E_NOT_BUILT"
        assert refused["error"]["hint"] == "Type `onaiml env up`."
        assert refused["exit"] == 3


def test_ide_vscode_keeps_what_a_person_has_set(tmp_path: Path, clone: Person) -> None:
    path = clone.root / ".vscode" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"editor.fontSize": 15}')
    assert clone.ask("env", "ide", "vscode", "--yes")["changed"]
    settings = json.loads(path.read_text())
    assert settings["editor.fontSize"] == 15
    assert settings["python.testing.pytestEnabled"] is True
    interpreter = settings["python.defaultInterpreterPath"]
    assert subprocess.run([interpreter, "-c", "import onai.ml"], cwd=tmp_path, check=False).returncode == 0
    assert not clone.ask("env", "ide", "vscode", "--yes")["changed"]
    # The editor, which knows the interpreter and nothing of our folders, offers both kernels.
    script = "from jupyter_client.kernelspec import KernelSpecManager as K; print(sorted(K().find_kernel_specs()))"
    seen = subprocess.run([interpreter, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert seen.stdout.strip() == "['pyspark', 'python3']"

    path.write_text('{\n  // a comment\n  "editor.fontSize": 15\n}')
    kept = clone.ask("env", "ide", "vscode", "--yes")
    assert kept["error"]["code"] == "E_CONFIG"
    assert interpreter in kept["error"]["hint"]
    assert "// a comment" in path.read_text()


def test_ide_pycharm_runs_the_tests_with_the_locked_interpreter(clone: Person) -> None:
    assert clone.ask("env", "ide", "pycharm", "--yes")["changed"]
    run = ElementTree.parse(clone.root / ".idea" / "runConfigurations" / "onaiml_tests.xml")
    options = {option.get("name"): option.get("value") for option in run.iter("option")}
    assert str(options["SDK_HOME"]).startswith(str(clone.data))
    assert not clone.ask("env", "ide", "pycharm", "--yes")["changed"]


def test_an_unknown_editor_is_a_usage_error(resident: Person) -> None:
    assert resident.ask("env", "ide", "emacs", "--yes")["exit"] == 2


def test_a_package_changed_by_hand_is_refused_and_mended(clone: Person) -> None:
    site = next(clone.data.glob("onaiml/environments/*/*/lib/python3.*/site-packages"))
    [folder] = site.glob("iniconfig-*.dist-info")
    folder.rename(site / "iniconfig-0.0.1.dist-info")
    refused = clone.ask("test")
    assert refused["error"]["code"] == "E_DRIFT"
    assert "iniconfig is 0.0.1" in refused["error"]["message"]
    assert clone.ask("env", "status")["workspace"]["matches"] is False
    (site / "iniconfig-0.0.1.dist-info").rename(folder)
    shutil.rmtree(folder)
    mended = clone.up()
    assert [step["key"] for step in mended["plan"]["steps"]] == ["environment"]
    assert clone.ask("env", "status")["workspace"]["matches"] is True
