"""What all commands share: every end of the work has its exit code, its sentence and its JSON object."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from onaiml_cli.cli.command import Session, execute
from onaiml_cli.core.console import Console
from onaiml_cli.core.errors import AuthError, Cancelled, RemoteError, UnknownOutcomeError, UsageError
from onaiml_cli.core.plan import Plan, Step


def _session(*, as_json: bool = False, **settings: Any) -> tuple[Session, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Session(Console(as_json=as_json, out=out, err=err, interactive=False), **settings), out, err


def _raise(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UsageError("x"), 2, "E_USAGE"),
        (AuthError("x"), 4, "E_AUTH"),
        (RemoteError("x"), 5, "E_REMOTE"),
        (UnknownOutcomeError("x"), 6, "E_UNKNOWN_OUTCOME"),
        (KeyboardInterrupt(), 130, "E_CANCELLED"),
        (OSError(errno.ENOSPC, "No space left on device", "/some/file"), 1, "E_DISK_FULL"),
        (ZeroDivisionError("boom"), 1, "E_INTERNAL"),
    ],
)
def test_each_error_has_its_exit_code_and_object(error: BaseException, status: int, code: str) -> None:
    session, out, err = _session(as_json=True)
    assert execute(session, _raise(error)) == status
    document = json.loads(out.getvalue())
    assert document["ok"] is False
    assert document["error"]["code"] == code
    assert err.getvalue() == ""

    session, out, err = _session()
    assert execute(session, _raise(error)) == status
    assert out.getvalue() == ""
    assert "Traceback" not in err.getvalue()


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    session, _, _ = _session(debug=True)
    assert execute(session, _raise(ZeroDivisionError("boom"))) == 1
    assert "ZeroDivisionError: boom" in capsys.readouterr().err


def test_a_result_is_one_object_with_phases_and_warnings() -> None:
    session, out, _ = _session(as_json=True)

    def work() -> dict[str, object]:
        with session.console.phase("count", "Count the beans") as facts:
            facts["beans"] = 3
        session.console.warn("few beans")
        return {"beans": 3}

    assert execute(session, work) == 0
    document = json.loads(out.getvalue())
    assert document["schema"] == "onaiml/1"
    assert document["ok"] is True
    assert document["error"] is None
    assert document["warnings"] == ["few beans"]
    assert document["beans"] == 3
    [phase] = document["phases"]
    assert (phase["key"], phase["ok"], phase["beans"]) == ("count", True, 3)


def _plan(done: list[str]) -> Plan:
    return Plan("Do it", (Step("one", "Do one", lambda _: done.append("one")),), {"thing": "this"})


def test_a_plan_is_shown_asked_about_and_only_then_done() -> None:
    done: list[str] = []
    session, _, err = _session()
    with pytest.raises(UsageError) as refused:
        session.carry_out(_plan(done), "Go ahead?", done="nothing to do")
    assert refused.value.code == "E_NEEDS_YES"
    assert "1. Do one" in err.getvalue()
    assert done == []

    session.console.interactive, session.console.ask = True, lambda _: "n"
    with pytest.raises(Cancelled):
        session.carry_out(_plan(done), "Go ahead?", done="nothing to do")
    assert done == []

    session.console.ask = lambda _: ""
    assert session.carry_out(_plan(done), "Go ahead?", done="nothing to do")["changed"] is True
    assert done == ["one"]


def test_dry_run_does_nothing_and_an_empty_plan_asks_nothing() -> None:
    done: list[str] = []
    session, _, err = _session(dry_run=True)
    result = session.carry_out(_plan(done), "Go ahead?", done="nothing to do")
    assert result["changed"] is False
    assert result["plan"]["steps"] == [{"key": "one", "text": "Do one"}]
    assert done == []
    assert "--dry-run" in err.getvalue()

    session, _, err = _session()
    assert session.carry_out(Plan("Nothing", ()), "Go ahead?", done="nothing to do")["changed"] is False
    assert "nothing to do" in err.getvalue()
