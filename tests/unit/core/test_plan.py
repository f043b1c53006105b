"""Plans as data."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from onaiml_cli.core.plan import Plan, Step


def test_a_plan_shows_everything_but_the_functions() -> None:
    steps = (Step("a", "Do a", lambda _: None, detail="why"), Step("b", "Do b", lambda _: {"x": 1}))
    deadline = datetime(2026, 1, 2, 3, tzinfo=UTC)
    plan = Plan("Title", steps, {"cluster": "c"}, cost_per_hour=1.5, deadline=deadline, fingerprint="f")
    shown = plan.as_dict()
    assert shown == {
        "title": "Title",
        "steps": [{"key": "a", "text": "Do a", "detail": "why"}, {"key": "b", "text": "Do b"}],
        "names": {"cluster": "c"},
        "cost_per_hour": 1.5,
        "deadline": "2026-01-02T03:00:00+00:00",
        "fingerprint": "f",
    }
    assert json.loads(json.dumps(shown)) == shown
    assert "function" not in repr(plan)


def test_a_plan_without_steps_is_empty() -> None:
    assert Plan("Nothing", ()).empty
    assert not Plan("One", (Step("a", "Do a", lambda _: None),)).empty


def test_two_plans_are_equal_when_they_say_the_same() -> None:
    assert Plan("x", (Step("a", "Do a", lambda _: None),)) == Plan("x", (Step("a", "Do a", lambda _: {}),))
