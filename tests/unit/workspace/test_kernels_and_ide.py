"""Kernel specs and editor settings as texts."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from onaiml_cli.core.errors import ConfigError
from onaiml_cli.core.project import Project
from onaiml_cli.workspace import ide, kernels

PYTHON = Path("/env/bin/python")


def _specs(*, spark: bool) -> dict[str, str]:
    return dict(kernels.specs(PYTHON, root=Path("/repo"), startup=Path("/start.py"), spark=spark))


def test_the_locked_python_has_the_name_that_notebooks_carry_and_reloads_edits() -> None:
    document = json.loads(_specs(spark=False)["python3"])
    assert document["display_name"] == "Python (onaiml)"
    assert document["argv"][:5] == ["/env/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    assert any("autoreload 2" in word for word in document["argv"])
    assert document["env"]["PYTHONNOUSERSITE"] == "1"


def test_pyspark_has_a_kernel_only_where_it_is_locked() -> None:
    assert list(_specs(spark=False)) == ["python3"]
    document = json.loads(_specs(spark=True)["pyspark"])
    assert "--IPKernelApp.exec_files=/start.py" in document["argv"]
    assert document["env"]["ONAIML_ROOT"] == "/repo"
    assert json.loads(document["env"]["ONAIML_CLI"])[1:] == ["-m", "onaiml_cli"]


def test_only_specs_that_differ_are_written_again(tmp_path: Path) -> None:
    wanted = _specs(spark=True)
    assert kernels.outdated(tmp_path, wanted) == ["python3", "pyspark"]
    kernels.write(tmp_path, wanted)
    assert kernels.outdated(tmp_path, wanted) == []
    (tmp_path / "kernels" / "pyspark" / "kernel.json").write_text("{}")
    assert kernels.outdated(tmp_path, wanted) == ["pyspark"]


def _project(root: Path) -> Project:
    return Project(root, "scores", "1", {})


def test_vscode_tests_are_those_of_the_repo(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    [(path, text)] = ide.settings("vscode", _project(tmp_path), PYTHON).items()
    assert path == tmp_path / ".vscode" / "settings.json"
    assert json.loads(text)["python.testing.pytestArgs"] == ["test"]


def test_pycharm_keeps_the_rest_of_its_project_file(tmp_path: Path) -> None:
    misc = tmp_path / ".idea" / "misc.xml"
    misc.parent.mkdir()
    misc.write_text('<project version="4"><component name="Black"><option name="on" value="1"/></component></project>')
    ide.write(ide.settings("pycharm", _project(tmp_path), PYTHON))
    root = ElementTree.parse(misc).getroot()
    names = [component.get("name") for component in root]
    assert names == ["Black", "ProjectRootManager"]
    assert root.find("component[@name='ProjectRootManager']").get("project-jdk-name") == "onaiml (scores)"  # type: ignore[union-attr]
    again = ide.settings("pycharm", _project(tmp_path), PYTHON)
    assert all(path.read_text() == text for path, text in again.items())


def test_pycharms_file_that_is_not_xml_is_left_alone(tmp_path: Path) -> None:
    misc = tmp_path / ".idea" / "misc.xml"
    misc.parent.mkdir()
    misc.write_text("<project")
    with pytest.raises(ConfigError, match="not XML"):
        ide.settings("pycharm", _project(tmp_path), PYTHON)
    assert misc.read_text() == "<project"
