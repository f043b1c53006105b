"""Settings in layers: who wins, where a value came from, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from onaiml_cli.core.config import KEYS, Config, load_config, parse_duration, variable
from onaiml_cli.core.errors import ConfigError, ProjectError
from onaiml_cli.core.project import load_project
from tests.small import somebody_else


def _load(
    root: Path,
    pyproject: str = "",
    own: str = "",
    garden: str = "",
    environ: dict[str, str] | None = None,
    options: dict[str, object] | None = None,
) -> Config:
    (root / "pyproject.toml").write_text(pyproject)
    if own:
        (root / "onaiml.toml").write_text(own)
    if garden:
        (root / "garden.env").write_text(garden)
    return load_config(load_project(root), options=options, environ=environ or {})


def _refused(
    root: Path, pyproject: str = "", environ: dict[str, str] | None = None, options: dict[str, object] | None = None
) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        _load(root, pyproject, environ=environ, options=options)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


def test_everything_has_a_default_of_its_own_kind(tmp_path: Path) -> None:
    config = _load(tmp_path)
    assert config.profile == "local"
    assert config.warnings == ()
    assert {setting.origin for setting in config.settings.values()} == {"default"}
    ask = {"text": config.text, "number": config.number, "list": config.items, "duration": config.seconds}
    for key, spec in KEYS.items():
        assert ask[spec.kind](key) == spec.default
        assert spec.help.endswith(".")


def test_each_layer_wins_over_those_before_it(tmp_path: Path) -> None:
    pyproject = (
        '[tool.onaiml]\nnamespace = "pyproject"\nworkspace = {port = 1, start_timeout = 1}\n'
        'spark = {memory = "1g", cores = 1}\n'
    )
    own = 'workspace = {port = 2, start_timeout = 2}\nspark = {memory = "2g"}\n'
    variables = {"ONAIML_WORKSPACE_PORT": "3", "ONAIML_WORKSPACE_START_TIMEOUT": "3s"}
    config = _load(tmp_path, pyproject, own, "ns=garden\n", variables, options={"workspace.port": 4})
    assert {key: (config.settings[key].value, config.settings[key].origin) for key in KEYS} | {
        "namespace": ("pyproject", "pyproject.toml"),
        "spark.cores": (1, "pyproject.toml"),
        "spark.memory": ("2g", "onaiml.toml"),
        "workspace.start_timeout": (3.0, "ONAIML_WORKSPACE_START_TIMEOUT"),
        "workspace.port": (4, "option"),
    } == {key: (config.settings[key].value, config.settings[key].origin) for key in KEYS}


@pytest.mark.parametrize("layers", [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)])
def test_the_later_of_any_two_layers_wins(tmp_path: Path, layers: tuple[int, int]) -> None:
    config = _load(
        tmp_path,
        '[tool.onaiml]\nnamespace = "1"\n' if 1 in layers else "",
        'namespace = "2"\n' if 2 in layers else "",
        "ns=0\n" if 0 in layers else "",
        {"ONAIML_NAMESPACE": "3"} if 3 in layers else {},
        options={"namespace": "4"} if 4 in layers else {},
    )
    origins = ["garden.env", "pyproject.toml", "onaiml.toml", "ONAIML_NAMESPACE", "option"]
    setting = config.settings["namespace"]
    assert (setting.value, setting.origin) == (str(layers[1]), origins[layers[1]])


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        ("ns=blue\n", "blue"),
        ("export ns=blue", "blue"),
        ("  ns = 'blue'  # mine\n", "blue"),
        ('other=1\nns="blue"\nNS=red\n', "blue"),
        ("ns=blue#x\n", "blue"),
        ("#ns=blue\n", ""),
        ("xns=blue\n", ""),
        ("ns=\n", ""),
        ("", ""),
    ],
)
def test_garden_env(tmp_path: Path, text: str, namespace: str) -> None:
    assert _load(tmp_path, garden=text).text("namespace") == namespace


def test_an_empty_variable_and_a_none_option_are_not_given(tmp_path: Path) -> None:
    config = _load(
        tmp_path, environ={"ONAIML_WORKSPACE_PORT": "", "ONAIML_PROFILE": ""}, options={"workspace.port": None}
    )
    assert config.settings["workspace.port"].origin == "default"
    assert config.settings["profile"].origin == "default"


PROFILES = """
[tool.onaiml]
spark.memory = "1g"
workspace.port = 1
[tool.onaiml.profiles.team]
workspace.port = 7
"""


def test_a_profile_changes_only_what_it_names(tmp_path: Path) -> None:
    config = _load(tmp_path, PROFILES, environ={"ONAIML_PROFILE": "team"})
    assert (config.profile, config.number("workspace.port"), config.text("spark.memory")) == ("team", 7, "1g")
    assert config.settings["workspace.port"].origin == "pyproject.toml (profile team)"
    assert config.settings["profile"].origin == "ONAIML_PROFILE"
    assert _load(tmp_path, PROFILES).number("workspace.port") == 1


def test_the_later_file_wins_over_an_earlier_files_profile(tmp_path: Path) -> None:
    own = "workspace.port = 8\n[profiles.team]\nspark.cores = 3\n"
    config = _load(tmp_path, PROFILES, own, options={"profile": "team"})
    assert (config.number("workspace.port"), config.number("spark.cores")) == (8, 3)
    assert config.settings["spark.cores"].origin == "onaiml.toml (profile team)"


@pytest.mark.parametrize(
    ("files", "environ", "option", "profile", "origin"),
    [
        ((PROFILES, 'profile = "team"\n'), {}, None, "team", "onaiml.toml"),
        ((PROFILES + "[tool.onaiml.profiles.other]\n", 'profile = "team"\n'), {}, "other", "other", "option"),
        ((PROFILES, 'profile = "team"\n'), {"ONAIML_PROFILE": "local"}, None, "local", "ONAIML_PROFILE"),
        ((PROFILES, ""), {"ONAIML_PROFILE": "team"}, "local", "local", "option"),
    ],
)
def test_who_chooses_the_profile(
    tmp_path: Path, files: tuple[str, str], environ: dict[str, str], option: str | None, profile: str, origin: str
) -> None:
    config = _load(tmp_path, *files, environ=environ, options={"profile": option})
    assert (config.profile, config.text("profile"), config.settings["profile"].origin) == (profile, profile, origin)


def test_an_unknown_profile_is_answered_with_the_nearest(tmp_path: Path) -> None:
    error = _refused(tmp_path, PROFILES, options={"profile": "taem"})
    assert error.message == "There is no profile `taem`. Did you mean `team`?"
    assert "Known here: local, team." in error.hint


def test_a_profile_cannot_choose_a_profile(tmp_path: Path) -> None:
    error = _refused(tmp_path, PROFILES + 'profile = "local"\n')
    assert "`profile`" in error.message
    assert "profile team" in error.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("workspace.prot = 1", "Unknown key `workspace.prot` in pyproject.toml. Did you mean `workspace.port`?"),
        ("protectd = []", "Did you mean `protected`?"),
        ("profile_s = {}", "Did you mean `profiles`?"),
        ("zzzz = 1", "Unknown key `zzzz` in pyproject.toml."),
        ("profiles.team.workspace.prot = 1", "Unknown key `workspace.prot` in pyproject.toml (profile team)."),
        ("profiles.team.profiles = {}", "Unknown key `profiles` in pyproject.toml (profile team)."),
        ("workspace = 3", "Unknown key `workspace`"),
        ("workspace.port = {a = 1}", "a whole number is expected"),
        ("workspace.port = -1", "a whole number is expected"),
        ("workspace.port = true", "a whole number is expected"),
        ("workspace.port = 8.5", "a whole number is expected"),
        ('workspace.port = "x"', "a whole number is expected"),
        ("spark.memory = 4", "spark.memory = 4 in pyproject.toml: text is expected."),
        ('environment.installer = "conda"', "one of auto, uv, pip is expected"),
        ("environment.extras = 3", "a list of names is expected"),
        ("environment.extras = [3]", "a list of names is expected"),
        ('workspace.start_timeout = "1 year"', "a duration such as 90s, 30m or 2h is expected"),
        ("workspace.start_timeout = -1", "a duration such as"),
        ("workspace.start_timeout = true", "a duration such as"),
        ("workspace.start_timeout = nan", "a duration such as"),
        ("workspace.start_timeout = []", "a duration such as"),
        ("profiles = 3", "`profiles` in pyproject.toml must be tables."),
        ("profiles.team = 3", "`profiles` in pyproject.toml must be tables."),
        ("profile = 3", "profile = 3 in pyproject.toml: text is expected."),
        ('profile = ["local"]', "text is expected"),
        ("profile = {}", "text is expected"),
        ('profile = ""', "There is no profile ``."),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, words: str) -> None:
    error = _refused(tmp_path, f"[tool.onaiml]\n{line}\n")
    assert words in error.message


def test_a_mistake_in_another_profile_is_found_too(tmp_path: Path) -> None:
    error = _refused(tmp_path, "[tool.onaiml.profiles.team]\nwrkspace.port = 1\n")
    assert "profile team" in error.message


@pytest.mark.parametrize("text", ["[tool]\nonaiml = 3\n", "tool = 3\n"])
def test_a_tool_table_that_is_none(tmp_path: Path, text: str) -> None:
    if text == "tool = 3\n":
        assert _load(tmp_path, text).profile == "local"
    else:
        assert "[tool.onaiml]" in _refused(tmp_path, text).hint


def test_a_wrong_value_of_a_variable_names_the_variable(tmp_path: Path) -> None:
    error = _refused(tmp_path, environ={"ONAIML_WORKSPACE_PORT": "many"})
    assert error.message == "workspace.port = 'many' in ONAIML_WORKSPACE_PORT: a whole number is expected."


def test_an_unknown_variable_of_ours_warns_with_the_nearest(tmp_path: Path) -> None:
    environ = {"ONAIML_WORKSPACE_PROT": "1", "ONAIML_TEST_X": "1", "ONAIML_YES": "1", "OTHER": "1"}
    assert _load(tmp_path, environ=environ).warnings == (
        "The variable ONAIML_WORKSPACE_PROT is not one of onaiml's. Did you mean `ONAIML_WORKSPACE_PORT`?",
    )


def test_a_list_may_be_written_with_commas(tmp_path: Path) -> None:
    config = _load(tmp_path, environ={variable("environment.extras"): " ml, ,spark,"})
    assert config.items("environment.extras") == ("ml", "spark")


@pytest.mark.parametrize(("value", "seconds"), [("90", 90), ('"1.5m"', 90), ("2.5", 2.5), ('"2h"', 7200)])
def test_durations(tmp_path: Path, value: str, seconds: float) -> None:
    assert _load(tmp_path, f"[tool.onaiml]\nworkspace.start_timeout = {value}\n").seconds(
        "workspace.start_timeout"
    ) == pytest.approx(seconds)
    assert parse_duration("1d") == 86400


def test_a_broken_onaiml_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"onaiml\.toml is not valid TOML"):
        _load(tmp_path, own="[workspace\n")


@pytest.mark.parametrize("name", ["pyproject.toml", "onaiml.toml", "garden.env"])
def test_a_file_that_may_not_be_read_is_named(name: str) -> None:
    with somebody_else() as folder:
        (folder / "pyproject.toml").write_text("")
        (folder / name).write_text("")
        (folder / name).chmod(0)
        with pytest.raises(ProjectError) as caught:
            load_config(load_project(folder), environ={})
        assert caught.value.code == "E_PERMISSION"
        assert str(folder / name) in caught.value.message
