"""What is printed where: for a person at a terminal, for a log, for a program."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from onaiml_cli.core.console import Console
from onaiml_cli.core.errors import Cancelled, LockError, UsageError
from onaiml_cli.core.plan import Plan, Reporter, Step
from tests.conftest import FakeClock
from tests.small import python


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _console(clock: FakeClock, **more: Any) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = more.pop("out", io.StringIO()), more.pop("err", io.StringIO())
    return Console(out=out, err=err, clock=clock, **more), out, err


# Without a terminal


def test_people_read_stderr_and_data_goes_to_stdout(clock: FakeClock) -> None:
    console, out, err = _console(clock)
    console.line("a")
    console.good("b")
    console.warn("c")
    console.data("d")
    assert out.getvalue() == "d\n"
    assert err.getvalue() == "a\n✓ b\n! c\n"
    assert console.warnings == ["c"]


def test_a_phase_is_one_line_before_and_one_after(clock: FakeClock) -> None:
    console, out, err = _console(clock)
    with console.phase("key", "Do [it]") as facts:
        console.note("not shown")
        console.progress(1, 2, "not shown")
        clock.sleep(1.26)
        facts["files"] = 3
    assert err.getvalue() == "· Do [it]\n✓ Do [it] (1.3 s)\n"
    assert out.getvalue() == ""
    assert console.phases == [{"key": "key", "ok": True, "seconds": 1.26, "files": 3}]


def test_a_long_phase_without_a_terminal_gives_a_sign_of_life(clock: FakeClock) -> None:
    console, _, err = _console(clock)
    with console.phase("key", "Do it"):
        for second in range(1, 41):
            clock.sleep(1)
            console.progress(second, 40, "packages")
    assert err.getvalue() == "· Do it\n  … 38% packages\n  … 75% packages\n✓ Do it (40.0 s)\n"


def test_a_phase_that_fails_says_so_and_passes_the_error_on(clock: FakeClock) -> None:
    console, _, err = _console(clock)
    with pytest.raises(ZeroDivisionError), console.phase("key", "Do it"):
        raise ZeroDivisionError
    assert err.getvalue() == "· Do it\n✗ Do it (0.0 s)\n"
    assert console.phases == [{"key": "key", "ok": False, "seconds": 0.0}]


def test_apply_stops_at_the_first_step_that_fails(clock: FakeClock) -> None:
    done: list[str] = []

    def step(key: str, *, fails: bool = False) -> Step:
        def apply(report: Reporter) -> dict[str, Any] | None:
            report.note("working")
            report.progress(1, 0)
            done.append(key)
            if fails:
                raise LockError("broken")
            return {"made": key} if key == "a" else None

        return Step(key, f"Do {key}", apply)

    console, _, _ = _console(clock)
    with pytest.raises(LockError):
        console.apply(Plan("x", (step("a"), step("b", fails=True), step("c"))))
    assert done == ["a", "b"]
    assert [(phase["key"], phase["ok"], phase.get("made")) for phase in console.phases] == [
        ("a", True, "a"),
        ("b", False, None),
    ]


def test_a_plan_is_shown_with_names_steps_and_costs(clock: FakeClock) -> None:
    console, _, err = _console(clock)
    steps = (Step("a", "Do a", lambda _: None, detail="because"), Step("b", "Do b", lambda _: None))
    console.show(Plan("Title", steps, {"cluster": "c"}, 1.5, datetime(2026, 1, 2, 3, 4, tzinfo=UTC)))
    assert err.getvalue() == (
        "Title\n  cluster: c\n  1. Do a\n     because\n  2. Do b\n"
        "  costs 1.50 USD an hour, ends by itself at 2026-01-02 03:04 UTC\n"
    )


def test_a_table_is_aligned_and_an_empty_one_says_why(clock: FakeClock) -> None:
    console, out, err = _console(clock)
    console.table(("NAME", "X"), [("a", "1"), ("longer", "")], empty="none")
    assert out.getvalue() == "NAME    X\na       1\nlonger\n"
    console.table(("NAME",), [], empty="Nothing yet.")
    assert err.getvalue() == "Nothing yet.\n"


def test_an_error_is_followed_by_what_to_type(clock: FakeClock) -> None:
    console, out, err = _console(clock)
    console.fail(LockError("No lock.", hint="Type `poetry lock`."))
    console.fail(Cancelled("Stopped.", hint=""))
    console.finish({"x": 1})
    assert err.getvalue() == "Error: No lock.\n  → Type `poetry lock`.\nStopped: Stopped.\n"
    assert out.getvalue() == ""


# --json


def test_json_is_one_object_on_stdout_and_silence_elsewhere(clock: FakeClock) -> None:
    console, out, err = _console(clock, as_json=True, err=Terminal())
    with console.phase("key", "Do it"):
        console.note("x")
    console.line("x")
    console.data("x")
    console.warn("careful")
    console.table(("A",), [("1",)])
    console.show(Plan("Title", ()))
    error = LockError("No lock.", hint="Type.", details={"path": os})
    console.fail(error)
    console.finish({"answer": "ü"}, error)
    assert err.getvalue() == ""
    assert out.getvalue().count("\n") == 1
    document = json.loads(out.getvalue())
    assert document.pop("error")["code"] == "E_LOCK"
    assert document == {
        "schema": "onaiml/1",
        "ok": False,
        "phases": [{"key": "key", "ok": True, "seconds": 0.0}],
        "warnings": ["careful"],
        "answer": "ü",
    }


def test_json_says_ok_without_an_error(clock: FakeClock) -> None:
    console, out, _ = _console(clock, as_json=True)
    console.finish({})
    document = json.loads(out.getvalue())
    assert (document["ok"], document["error"]) == (True, None)


# Questions


@pytest.mark.parametrize("as_json", [False, True])
def test_without_anybody_to_ask_it_refuses_and_never_hangs(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def nobody(prompt: str) -> str:
        raise AssertionError("asked")

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    console, _, err = _console(clock, ask=nobody, as_json=as_json)
    with pytest.raises(UsageError) as caught:
        console.confirm("Go ahead?")
    assert (caught.value.code, caught.value.exit_code) == ("E_NEEDS_YES", 2)
    assert "--yes" in caught.value.hint
    assert err.getvalue() == ""


def test_a_closed_stdin_is_nobody(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    console, _, _ = _console(clock, err=Terminal())
    with pytest.raises(UsageError):
        console.confirm("Go ahead?")


def test_yes_is_not_asked_again(clock: FakeClock) -> None:
    console, _, err = _console(clock, assume_yes=True, interactive=True)
    console.confirm("Go ahead?")
    assert err.getvalue() == ""


@pytest.mark.parametrize("answer", ["", "y", "Y", " yes "])
def test_yes(clock: FakeClock, answer: str) -> None:
    console, _, err = _console(clock, interactive=True, ask=lambda _: answer)
    console.confirm("Go ahead?")
    assert err.getvalue() == "Go ahead? [Y/n] "


def _end_of_file(prompt: str) -> str:
    raise EOFError


@pytest.mark.parametrize("ask", [lambda _: "n", lambda _: "No", lambda _: "what?", _end_of_file])
def test_no(clock: FakeClock, ask: Callable[[str], str]) -> None:
    console, _, _ = _console(clock, interactive=True, ask=ask)
    with pytest.raises(Cancelled) as caught:
        console.confirm("Go ahead?")
    assert (caught.value.message, caught.value.exit_code) == ("Nothing was changed.", 130)


# At a terminal


def test_colours_only_where_they_are_wanted(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console, _, err = _console(clock, err=Terminal())
    console.good("a")
    assert err.getvalue() == "\x1b[32m✓\x1b[0m a\n"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            console, _, err = _console(clock, err=Terminal())
            console.good("a")
            assert err.getvalue() == "✓ a\n"


def test_a_table_at_a_terminal_shows_brackets_as_they_are(clock: FakeClock) -> None:
    console, out, _ = _console(clock, out=Terminal())
    console.table(("NAME", "TEXT"), [("a", "[bold]x[/nothing]")])
    assert "[bold]x[/nothing]" in out.getvalue()


PTY = r"""
import sys
from onaiml_cli.core.console import Console
console = Console()
with console.phase("key", "Do [it]"):
    for text in ("half", "a[b]", r"\[/x]", "back\\", "[/nothing]"):
        console.note(text)
        console._status._live.refresh()
        console.progress(1, 4, text)
        console._status._live.refresh()
    console.progress(3, 2, "more than all")
    console._status._live.refresh()
print("out")
"""


def _at_a_terminal(code: str, **variables: str) -> str:
    """What a person sees: stderr and stdin are a terminal, stdout as well."""
    leader, follower = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for handle in (0, 1, 2):
            os.dup2(follower, handle)
        os.execve(sys.executable, [sys.executable, "-W", "error", "-c", code], {**os.environ, **variables})
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 65536):
            shown += part
    except OSError:
        # Linux says that the other end is gone with EIO.
        pass
    finally:
        os.close(leader)
    _, status = os.waitpid(pid, 0)
    text = shown.decode(errors="replace")
    assert os.waitstatus_to_exitcode(status) == 0, text
    return text


def test_a_spinner_turns_and_is_cleared() -> None:
    shown = _at_a_terminal(PTY, TERM="xterm-256color", COLUMNS="100")
    assert "\x1b[?25l" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor stayed hidden"
    for text in ("Do [it]", "half", " 25% ", "a[b]", r"\[/x]", "back\\", "[/nothing]"):
        assert text in shown
    assert f"{'━' * 6}\x1b[0m\x1b[2m{'─' * 18}" in shown
    assert f"{'━' * 24}\x1b[0m 100%" in shown
    assert "[/dim]" not in shown
    # The spinner's line is erased before the line that stays.
    last = shown[shown.rindex("\x1b[2K") :]
    assert "Do [it] (0." in last
    assert last.endswith("out\r\n")


def test_no_color_at_a_terminal_leaves_no_colour() -> None:
    shown = _at_a_terminal(PTY, TERM="xterm-256color", NO_COLOR="1", COLUMNS="100")
    assert "\x1b[32m" not in shown
    assert "✓ Do [it] (0." in shown


def test_a_dumb_terminal_gets_plain_lines() -> None:
    code = "from onaiml_cli.core.console import Console\nwith Console().phase('k', 'Do it'):\n    pass\n"
    assert "\x1b" not in _at_a_terminal(code, TERM="dumb")


def test_ctrl_c_at_a_question_is_not_swallowed() -> None:
    code = """
import os, signal, sys, threading
from onaiml_cli.core.console import Console
def ask(prompt):
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(60)
try:
    Console(ask=ask).confirm("Go ahead?")
except KeyboardInterrupt:
    print("interrupted")
"""
    assert _at_a_terminal(code, TERM="dumb") == "Go ahead? [Y/n] interrupted\r\n"


def test_without_rich_there_are_plain_lines() -> None:
    """As in scripts/bootstrap.py, before any dependency is installed."""
    code = "import sys\nsys.modules['rich'] = sys.modules['rich.console'] = None\n"
    code += "from onaiml_cli.core.console import Console\nc = Console()\nwith c.phase('k', 'Do it'):\n    c.note('x')\n"
    assert "✓" in _at_a_terminal(code, TERM="xterm")


def test_plain_output_does_not_import_rich() -> None:
    code = "import sys\nfrom onaiml_cli.core.console import Console\nc = Console()\n"
    code += "with c.phase('k', 'x'):\n    c.table(('A',), [('1',)])\nsys.exit('rich' in sys.modules)"
    assert python(code).returncode == 0
