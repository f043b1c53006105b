"""Whatever is written into a config file, the answer is a Config or one of our errors."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onaiml_cli.core.config import KEYS, Config, Value, load_config, parse_duration, variable
from onaiml_cli.core.errors import ConfigError
from onaiml_cli.core.project import Project

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.just("90s"),
    st.just("local"),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["profile", "team", "port", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SECTIONS = sorted({key.partition(".")[0] for key in KEYS})
KEY = st.sampled_from([*SECTIONS, "profile", "profiles", "unknown"])
NESTED = st.dictionaries(st.sampled_from([key.rpartition(".")[2] for key in KEYS]), VALUES, max_size=3)


def _load(tool: Any, environ: dict[str, str]) -> Config | ConfigError:
    """The settings or why they are refused; any other exception fails the test."""
    try:
        return load_config(_project(tool), environ=environ)
    except ConfigError as error:
        return error


def _project(tool: Any) -> Project:
    return Project(Path("/nowhere"), "small", "1", {"tool": {"onaiml": tool}})


@given(VALUES | st.dictionaries(KEY, VALUES | NESTED, max_size=5))
def test_no_value_of_any_kind_gets_through_or_crashes(tool: Any) -> None:
    config = _load(tool, {})
    if isinstance(config, ConfigError):
        assert config.hint
        return
    ask = {"text": config.text, "number": config.number, "list": config.items, "duration": config.seconds}
    for key, spec in KEYS.items():
        value = ask[spec.kind](key)
        assert not spec.choices or value in spec.choices
        assert spec.kind not in ("number", "duration") or (isinstance(value, int | float) and value >= 0)
    assert config.profile == config.text("profile")


@given(st.dictionaries(st.sampled_from([*map(variable, KEYS), "ONAIML_STRANGE", "OTHER"]), st.text(max_size=8)))
def test_no_variable_crashes(environ: dict[str, str]) -> None:
    config = _load({}, environ)
    if isinstance(config, ConfigError):
        assert config.hint
    else:
        assert len(config.warnings) == ("ONAIML_STRANGE" in environ)


LAYERS = ("pyproject.toml", "profile", "variable", "option")


@given(st.dictionaries(st.sampled_from(LAYERS), st.integers(0, 65535)))
def test_the_latest_layer_that_speaks_wins(ports: dict[str, int]) -> None:
    tool: dict[str, Any] = {"profile": "team", "profiles": {"team": {}}}
    if "pyproject.toml" in ports:
        tool["workspace"] = {"port": ports["pyproject.toml"]}
    if "profile" in ports:
        tool["profiles"]["team"]["workspace"] = {"port": ports["profile"]}
    environ = {"ONAIML_WORKSPACE_PORT": str(ports["variable"])} if "variable" in ports else {}
    options = {"workspace.port": ports.get("option")}
    latest: Value = next((ports[layer] for layer in reversed(LAYERS) if layer in ports), KEYS["workspace.port"].default)
    assert load_config(_project(tool), options=options, environ=environ).number("workspace.port") == latest


@given(st.text(max_size=10))
def test_a_duration_is_a_number_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


@given(st.integers(0, 10**6), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_durations_are_their_unit(number: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f" {number} {unit[0]} ") == pytest.approx(number * unit[1])
