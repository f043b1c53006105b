"""Configuration in layers, each value with the place it came from, each wrong key answered with the nearest right one.

Later wins: defaults, garden.env (the old workflow's file), [tool.onaiml] in pyproject.toml, onaiml.toml, ONAIML_*
variables, options. In both files `[... .profiles.NAME]` holds what differs under that profile.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from onaiml_cli.core.errors import ConfigError
from onaiml_cli.core.project import Project, read_bytes, read_toml

Kind = Literal["text", "number", "list", "duration"]
Value = str | int | float | tuple[str, ...]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Key:
    """One thing that can be set."""

    kind: Kind
    default: Value
    help: str
    choices: tuple[str, ...] = ()


KEYS: Mapping[str, Key] = {
    "profile": Key("text", "local", "Which profile is used when none is named."),
    "namespace": Key("text", "", "Namespace of the personal platform (garden.env's `ns` is read too)."),
    "protected": Key("list", ("pyspark",), "Packages that onaiml never updates by itself."),
    "environment.extras": Key("list", (), "Extras of the project that the workspace's environment holds."),
    "environment.groups": Key("list", (), "Dependency groups that it holds besides `main`."),
    "environment.installer": Key(
        "text", "auto", "What installs the packages; `auto` takes uv when it is there.", ("auto", "uv", "pip")
    ),
    "environment.python": Key("text", "", "Interpreter to build the environment with; by default onaiml's own."),
    "workspace.provider": Key("text", "local", "Where people work."),
    "workspace.port": Key("number", 8888, "First port tried for JupyterLab; the next free one is taken."),
    "workspace.start_timeout": Key("duration", 90.0, "How long JupyterLab may take to answer."),
    "spark.provider": Key("text", "local", "Where Spark runs."),
    "spark.memory": Key("text", "auto", "Memory of the local Spark server, such as `4g`; `auto` is a quarter of all."),
    "spark.cores": Key("number", 0, "Cores of the local Spark server; 0 means all."),
    "spark.idle_after": Key("duration", 1800.0, "The local Spark server ends after so long without a kernel."),
    "spark.start_timeout": Key("duration", 180.0, "How long the local Spark server may take to answer."),
}

# Variables of ours that are no configuration keys: for people, and between our own processes.
OTHER_VARIABLES = (
    "ONAIML_DATA_HOME",
    "ONAIML_DEBUG",
    "ONAIML_JSON",
    "ONAIML_YES",
    "ONAIML_DRY_RUN",
    "ONAIML_CLI",
    "ONAIML_ROOT",
    "ONAIML_JUPYTER_OF",
)
OTHER_PREFIXES = ("ONAIML_TEST_", "ONAIML_REQUIRE_", "ONAIML_FRESH", "ONAIML_TESTBED")


@dataclass(frozen=True)
class Setting:
    """A value and where it came from."""

    key: str
    value: Value
    origin: str


@dataclass(frozen=True)
class Config:
    """All settings under one profile. Ask with the method of the key's kind."""

    profile: str
    settings: Mapping[str, Setting]
    warnings: tuple[str, ...] = ()

    def text(self, key: str) -> str:
        return str(self.settings[key].value)

    def number(self, key: str) -> int:
        value = self.settings[key].value
        assert isinstance(value, int)
        return value

    def items(self, key: str) -> tuple[str, ...]:
        value = self.settings[key].value
        assert isinstance(value, tuple)
        return value

    def seconds(self, key: str) -> float:
        value = self.settings[key].value
        assert isinstance(value, int | float)
        return float(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean `x`?` for a word close to a known one, else an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean `{found[0]}`?" if found else ""


def parse_duration(text: str) -> float:
    """Seconds of `90`, `90s`, `30m`, `2h` or `1d`. Raises ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text)
    if not match:
        raise ValueError("a duration looks like 90s, 30m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def convert(key: str, raw: object, origin: str) -> Value:
    """Bring a raw value to the key's kind. Raises ConfigError that says what was expected."""
    spec = KEYS[key]

    def wrong(expected: str) -> ConfigError:
        return ConfigError(f"{key} = {raw!r} in {origin}: {expected} is expected.", hint=spec.help)

    match spec.kind:
        case "text":
            if not isinstance(raw, str):
                raise wrong("text")
            if spec.choices and raw not in spec.choices:
                raise wrong(f"one of {', '.join(spec.choices)}")
            return raw
        case "number":
            if isinstance(raw, str) and re.fullmatch(r"\s*\d+\s*", raw):
                return int(raw)
            if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
                raise wrong("a whole number")
            return raw
        case "list":
            if isinstance(raw, str):
                return tuple(part.strip() for part in raw.split(",") if part.strip())
            if not isinstance(raw, list | tuple) or not all(isinstance(part, str) for part in raw):
                raise wrong("a list of names")
            return tuple(str(part) for part in raw)
        case "duration":
            if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0:
                return float(raw)
            try:
                return parse_duration(raw if isinstance(raw, str) else "")
            except ValueError:
                raise wrong("a duration such as 90s, 30m or 2h") from None


def variable(key: str) -> str:
    """The environment variable of a key: `workspace.port` is ONAIML_WORKSPACE_PORT."""
    return "ONAIML_" + key.upper().replace(".", "_")


def _flatten(table: Mapping[str, Any], origin: str, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and raw values of one table. Raises ConfigError for a key that does not exist."""
    sections = {key.rpartition(".")[0] for key in KEYS} - {""}
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and key in sections:
            yield from _flatten(value, origin, f"{key}.")
        elif key in KEYS:
            yield key, value
        else:
            known = [*KEYS, "profiles"] if not prefix else list(KEYS)
            raise ConfigError(
                f"Unknown key `{key}` in {origin}.{nearest(key, known)}",
                hint="`onaiml config show --origin` lists every key, its value and where it comes from.",
            )


def _file_layers(project: Project) -> list[tuple[str, Mapping[str, Any]]]:
    """The tables of both config files, weakest first."""
    layers: list[tuple[str, Mapping[str, Any]]] = []
    tool = project.pyproject.get("tool", {})
    own = tool.get("onaiml") if isinstance(tool, dict) else None
    if own is not None:
        if not isinstance(own, dict):
            raise ConfigError("`tool.onaiml` in pyproject.toml must be a table.", hint="Write it as [tool.onaiml].")
        layers.append(("pyproject.toml", own))
    path = project.root / "onaiml.toml"
    if path.is_file():
        layers.append(("onaiml.toml", read_toml(path)))
    return layers


def _garden_namespace(project: Project) -> str:
    path = project.root / "garden.env"
    if not path.is_file():
        return ""
    text = read_bytes(path).decode(errors="replace")
    found = re.search(r"^\s*(?:export\s+)?ns\s*=\s*['\"]?([^'\"\s#]+)", text, re.MULTILINE)
    return found[1] if found else ""


def _profiles(table: Mapping[str, Any], origin: str) -> Mapping[str, Mapping[str, Any]]:
    profiles = table.get("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(value, dict) for value in profiles.values()):
        raise ConfigError(f"`profiles` in {origin} must be tables.", hint="Write each as [tool.onaiml.profiles.NAME].")
    return profiles


def default_config() -> Config:
    """Every setting at its default."""
    return Config("local", {key: Setting(key, spec.default, "default") for key, spec in KEYS.items()})


def load_config(
    project: Project, *, options: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """Every setting for `project`.

    Args:
        options: dotted keys given on the command line; None values are not given.
        environ: the variables; the process's own by default.

    Raises:
        ConfigError: a key, a value or a profile that does not exist.
    """
    variables = os.environ if environ is None else environ
    given = {key: value for key, value in (options or {}).items() if value is not None}
    layers = _file_layers(project)
    settings = {key: Setting(key, spec.default, "default") for key, spec in KEYS.items()}

    def put(key: str, raw: object, origin: str) -> None:
        settings[key] = Setting(key, convert(key, raw, origin), origin)

    namespace = _garden_namespace(project)
    if namespace:
        put("namespace", namespace, "garden.env")

    named: list[tuple[object, str]] = [(given.get("profile"), "option")]
    named.append((variables.get(variable("profile")) or None, variable("profile")))
    named += [(table.get("profile"), origin) for origin, table in reversed(layers)]
    raw, origin = next(((raw, origin) for raw, origin in named if raw is not None), ("local", "default"))
    put("profile", raw, origin)
    chosen = str(settings["profile"].value)
    known = {"local"} | {name for origin, table in layers for name in _profiles(table, origin)}
    if chosen not in known:
        raise ConfigError(
            f"There is no profile `{chosen}`.{nearest(chosen, known)}",
            hint=f"Known here: {', '.join(sorted(known))}. Add one as [tool.onaiml.profiles.{chosen}].",
        )

    for origin, table in layers:
        for key, raw in _flatten({k: v for k, v in table.items() if k not in ("profile", "profiles")}, origin):
            put(key, raw, origin)
        for name, profile in _profiles(table, origin).items():
            for key, raw in _flatten(profile, f"{origin} (profile {name})"):
                if key == "profile":
                    raise ConfigError(
                        f"`profile` in {origin} (profile {name}): a profile cannot choose a profile.",
                        hint="Write `profile` above, outside of `profiles`.",
                    )
                if name == chosen:
                    put(key, raw, f"{origin} (profile {name})")

    for key in KEYS:
        if key != "profile" and variables.get(variable(key)):
            put(key, variables[variable(key)], variable(key))
    for key, raw in given.items():
        if key != "profile":
            put(key, raw, "option")

    ours = {variable(key) for key in KEYS}
    strange = [
        name
        for name in variables
        if name.startswith("ONAIML_") and name not in ours and name not in OTHER_VARIABLES
        if not name.startswith(OTHER_PREFIXES)
    ]
    warnings = tuple(
        f"The variable {name} is not one of onaiml's.{nearest(name, [*ours, *OTHER_VARIABLES])}" for name in strange
    )
    return Config(profile=chosen, settings=settings, warnings=warnings)
