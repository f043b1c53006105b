"""`make up` and `make test` on a machine that has only python3, make and certificates.

Nothing else shows that the README's two commands are enough: every other test runs where somebody has worked before.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit, urlunsplit

import pytest

from .conftest import FOLDER, OWNER
from .machine import FreshMachine

pytestmark = [pytest.mark.fresh, pytest.mark.timeout(3600)]

UP = f"cd {FOLDER} && make up"
UP_LIMIT = 900.0
TEST_LIMIT = 2400.0
ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=30).read().decode())"


def _workspace_answers(machine: FreshMachine, printed: str, user: str) -> bool:
    """Whether the URL that a person was told opens a Jupyter server, asked for from the machine itself."""
    urls = re.findall(r"http://127\.0\.0\.1:\d+\S*token=\w+", printed)
    assert urls, f"no URL with a token was printed:\n{printed[-3000:]}"
    status = urlunsplit(urlsplit(urls[0])._replace(path="/api/status"))
    answer = machine.must(f"python3 -c '{ASK}' '{status}'", user=user, timeout=60).splitlines()[-1]
    return "kernels" in json.loads(answer)


def _last_summary(output: str) -> str:
    """Pytest's closing line."""
    closing = re.findall(r"^.*\b\d+ (?:passed|failed|error).* in [\d.]+s.*$", output, re.MULTILINE)
    assert closing, f"pytest printed no closing line:\n{output[-3000:]}"
    return str(closing[-1])


def test_root_on_bare_debian_gets_a_workspace_and_a_passing_suite(machine: FreshMachine) -> None:
    printed = machine.must(UP, timeout=UP_LIMIT)
    assert _workspace_answers(machine, printed, "root")

    tested = machine.must(f"cd {FOLDER} && make test", timeout=TEST_LIMIT)
    summary = _last_summary(tested)
    print(summary)
    assert re.search(r"\b[1-9]\d* passed", summary)
    assert not re.search(r"\b(failed|errors?)\b", summary)
    assert _workspace_answers(machine, printed, "root"), "the suite ended somebody's workspace"

    machine.must(f"cd {FOLDER} && make down", timeout=120)
    assert machine.processes() == []


def test_a_user_without_java_gets_a_workspace_and_one_sentence_about_spark(machine: FreshMachine) -> None:
    machine.must("apt-get update && apt-get install -y python3-venv", timeout=300)

    printed = machine.must(UP, user=OWNER, timeout=UP_LIMIT)

    assert _workspace_answers(machine, printed, OWNER)
    about_java = [line for line in printed.splitlines() if "Java" in line]
    assert len(about_java) == 1, about_java
    assert "only spark waits for it" in about_java[0].lower()

    machine.must(f"cd {FOLDER} && make down", user=OWNER, timeout=120)
    assert machine.processes() == []


def test_a_user_without_venv_is_told_which_package_to_install(machine: FreshMachine) -> None:
    refused = machine.run(UP, user=OWNER, timeout=120)

    assert refused.code != 0
    assert len([line for line in refused.output.splitlines() if "python3-venv" in line]) == 1, refused.output
    assert "Traceback" not in refused.output
    assert machine.processes() == []
