"""The life of a local workspace with a real JupyterLab: up, used, killed, mended, down."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.contract.workspaces import REPO, Person, copy_of_repo, listing, words_of


def test_up_answers_only_to_its_token_and_a_second_up_changes_nothing(person: Person) -> None:
    first = person.up()
    status = first["workspace"]
    assert first["changed"]
    assert [phase["key"] for phase in first["phases"]] == ["kernels", "jupyter"]
    assert status["state"] == "up"
    assert status["matches"] is True
    assert listing(person, status, "/api/status")["kernels"] == 0
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(status["url"].removesuffix("/lab") + "/api/contents", timeout=20)
    assert refused.value.code == 403
    refused.value.close()

    second = person.up()
    assert not second["changed"]
    assert second["plan"]["steps"] == []
    assert second["workspace"]["pid"] == status["pid"]
    assert person.ask("env", "status")["workspace"]["pid"] == status["pid"]


def test_jupyterlab_listens_on_loopback_only(resident: Person) -> None:
    pid = resident.ask("env", "status")["workspace"]["pid"]
    process = psutil.Process(pid)
    addresses = {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}


def test_its_kernels_are_the_locked_python_and_pyspark(resident: Person) -> None:
    status = resident.ask("env", "status")["workspace"]
    specs = listing(resident, status, "/api/kernelspecs")["kernelspecs"]
    assert {name: spec["spec"]["display_name"] for name, spec in specs.items()} == {
        "python3": "Python (onaiml)",
        "pyspark": "PySpark",
    }


def test_the_token_is_in_no_command_line_no_json_no_log_and_no_open_file(resident: Person) -> None:
    answers = [resident.type("env", *words, "--json") for words in (["status"], ["list"], ["up", "--yes"])]
    status = json.loads(answers[0].stdout)["workspace"]
    token_file = Path(status["token_file"])
    token = token_file.read_text()
    assert len(token) >= 40
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert token not in words_of(resident.processes())
    for answer in answers:
        assert token not in answer.stdout + answer.stderr
    # Nobody else gets as far as our files, whatever the mode that Jupyter gives to some of its own.
    assert (resident.state / "onaiml").stat().st_mode & 0o077 == 0
    logs = "".join(path.read_text(errors="replace") for path in (resident.state / "onaiml" / "logs").glob("*"))
    assert token not in logs


def test_a_killed_server_is_seen_as_dead_and_mended_by_up(person: Person) -> None:
    pid = person.up()["workspace"]["pid"]
    psutil.Process(pid).send_signal(signal.SIGKILL)
    psutil.wait_procs([process for process in person.processes() if process.pid == pid], timeout=10)

    seen = person.type("env", "status")
    assert "dead" in seen.stdout
    assert "onaiml env up" in seen.stdout
    mended = person.up()["workspace"]
    assert mended["state"] == "up"
    assert mended["pid"] != pid


def test_after_a_reboot_the_same_pid_is_another_program_and_is_left_alone(person: Person) -> None:
    workspace = person.up()["workspace"]
    innocent = psutil.Popen(["sleep", "600"])
    try:
        os.kill(workspace["pid"], signal.SIGKILL)
        [document] = (person.state / "onaiml" / "workspaces").glob("*.json")
        content = json.loads(document.read_text())
        # What a reboot leaves: the number of our server, now that of a program that started at another time.
        content["process"]["pid"] = innocent.pid
        document.write_text(json.dumps(content))
        assert person.ask("env", "status")["workspace"]["state"] == "dead"
        assert person.ask("env", "down", "--yes")["ok"]
        person.up()
        assert innocent.is_running()
    finally:
        innocent.kill()
        innocent.wait()


def test_down_leaves_no_process_and_no_held_lock_and_may_be_repeated(person: Person) -> None:
    status = person.up()["workspace"]
    request = urllib.request.Request(
        status["url"].removesuffix("/lab") + "/api/kernels",
        method="POST",
        data=b'{"name": "python3"}',
        headers={"Authorization": f"token {Path(status['token_file']).read_text()}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201
    assert len(person.processes()) >= 2

    document = person.ask("env", "down", "--yes")
    assert document["ok"]
    assert words_of(person.processes()) == ""
    assert not Path(status["token_file"]).exists()
    again = person.ask("env", "down", "--yes")
    assert again["ok"]
    assert not again["changed"]
    assert person.ask("env", "list")["workspaces"] == []


def test_two_ups_at_once_make_one_server(person: Person) -> None:
    both = [person.start("env", "up", "--yes", "--json") for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=240)[0]) for process in both]
    assert all(answer["ok"] for answer in answers), answers
    assert len({answer["workspace"]["pid"] for answer in answers}) == 1
    assert sorted(answer["changed"] for answer in answers) == [False, True]


def test_an_occupied_port_is_passed_over_unless_it_was_asked_for(person: Person) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = person.ask("env", "up", "--yes", "--port", str(port))
        assert refused["error"]["code"] == "E_PORT_BUSY"
        assert str(port) in refused["error"]["message"]
        assert refused["exit"] == 1
        person.extra["ONAIML_WORKSPACE_PORT"] = str(port)
        url = person.up()["workspace"]["url"]
        assert url.startswith("http://127.0.0.1:")
        assert f":{port}/" not in url


def test_asking_for_another_port_moves_the_server(person: Person) -> None:
    person.up()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    moved = person.up("--port", str(port))
    assert moved["workspace"]["url"] == f"http://127.0.0.1:{port}/lab"
    assert not person.up("--port", str(port))["changed"]


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_up_is_continued_by_up_and_removed_by_down(person: Person, blow: signal.Signals) -> None:
    person.warnings = "ignore"
    process = person.start("env", "up", "--yes")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("· Start JupyterLab"):
            break
    # The server's process may exist or not yet: both must end well.
    process.send_signal(blow)
    process.communicate(timeout=60)
    assert process.returncode == (130 if blow == signal.SIGINT else -9)
    if blow == signal.SIGINT:
        assert "jupyterlab" not in words_of(person.processes())

    assert person.up()["workspace"]["state"] == "up"
    assert words_of(person.processes()).count("-m jupyterlab") == 1
    assert person.ask("env", "down", "--yes")["ok"]
    assert words_of(person.processes()) == ""


def test_two_repos_live_side_by_side_and_an_edit_of_the_lock_is_noticed(person: Person, tmp_path: Path) -> None:
    other = Person(copy_of_repo(tmp_path / "clone"), person.state, tmp_path / "data", person.extra)
    mine, theirs = person.up()["workspace"], other.up()["workspace"]
    assert mine["url"] != theirs["url"]
    assert {item["root"] for item in person.ask("env", "list")["workspaces"]} == {str(REPO), str(other.root)}

    # A change of what is locked: the running workspace no longer matches, and says so.
    config = other.root / "pyproject.toml"
    config.write_text(config.read_text().replace('groups = ["test", "lint", "docs"]', 'groups = ["test", "docs"]'))
    seen = other.ask("env", "status")["workspace"]
    assert seen["state"] == "up"
    assert seen["matches"] is False
    assert other.ask("env", "up", "--dry-run")["plan"]["steps"] != []
    assert person.ask("env", "status")["workspace"]["matches"] is True
    assert other.ask("env", "down", "--yes")["ok"]
    assert person.ask("env", "status")["workspace"]["state"] == "up"


def test_without_a_terminal_and_without_yes_it_asks_nobody_and_exits_2(person: Person) -> None:
    answer = person.type("env", "up")
    assert answer.returncode == 2
    assert "--yes" in answer.stderr
    assert person.processes() == []


def test_dry_run_shows_the_plan_and_touches_nothing(person: Person) -> None:
    answer = person.type("env", "up", "--dry-run")
    assert answer.returncode == 0
    assert "Start JupyterLab on 127.0.0.1:" in answer.stderr
    assert person.processes() == []
    assert not (person.state / "onaiml" / "workspaces").exists() or not list(
        (person.state / "onaiml" / "workspaces").glob("*.json")
    )
