"""Settings that make an editor use the workspace: its interpreter, its tests, its running Jupyter.

Existing settings of a person are kept; only our keys are set. A file that cannot be understood is left alone.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from onaiml_cli.core.errors import ConfigError
from onaiml_cli.core.project import Project
from onaiml_cli.core.state import write_atomic

EDITORS = ("vscode", "pycharm")
_RUN = "onaiml tests"


def settings(editor: str, project: Project, python: Path) -> dict[Path, str]:
    """The files to write for an editor, by path, with their whole new text.

    Raises ConfigError when a file there is not what the editor itself would write.
    """
    return _vscode(project, python) if editor == "vscode" else _pycharm(project, python)


def write(files: dict[Path, str]) -> None:
    """Write the files; the folder is the person's own, so they get the usual mode."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text, mode=0o644)


def _vscode(project: Project, python: Path) -> dict[Path, str]:
    path = project.root / ".vscode" / "settings.json"
    current: dict[str, Any] = {}
    if path.is_file():
        try:
            current = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(
                f"{path} has comments or is not JSON, so it is left as it is: {error}.",
                hint=f'Set "python.defaultInterpreterPath": "{python}" there by hand.',
            ) from error
    tests = [name for name in ("tests", "test") if (project.root / name).is_dir()]
    current.update(
        {
            "python.defaultInterpreterPath": str(python),
            "python.terminal.activateEnvironment": True,
            "python.testing.pytestEnabled": True,
            "python.testing.unittestEnabled": False,
            "python.testing.pytestArgs": tests or ["."],
            "jupyter.notebookFileRoot": "${workspaceFolder}",
        }
    )
    return {path: json.dumps(current, indent=4) + "\n"}


def _pycharm(project: Project, python: Path) -> dict[Path, str]:
    """The interpreter by name and a run configuration for pytest that uses it by path.

    PyCharm keeps the list of interpreters outside of projects, so the name has to be chosen once in its settings;
    the run configuration works without.
    """
    folder = project.root / ".idea"
    tests = "$PROJECT_DIR$/tests" if (project.root / "tests").is_dir() else "$PROJECT_DIR$"
    component = ElementTree.Element("component", name="ProjectRunConfigurationManager")
    run = ElementTree.SubElement(component, "configuration", name=_RUN, type="tests", factoryName="py.test")
    options = {
        "SDK_HOME": str(python),
        "WORKING_DIRECTORY": "$PROJECT_DIR$",
        "IS_MODULE_SDK": "false",
        "ADD_CONTENT_ROOTS": "true",
        "ADD_SOURCE_ROOTS": "true",
        "_new_target": f'"{tests}"',
        "_new_targetType": '"PATH"',
    }
    for name, value in options.items():
        ElementTree.SubElement(run, "option", name=name, value=value)
    ElementTree.SubElement(run, "method", v="2")
    misc = folder / "misc.xml"
    root = _misc(misc)
    manager = next((item for item in root if item.get("name") == "ProjectRootManager"), None)
    if manager is None:
        manager = ElementTree.SubElement(root, "component", name="ProjectRootManager", version="2")
    manager.set("project-jdk-name", f"onaiml ({project.name})")
    manager.set("project-jdk-type", "Python SDK")
    return {
        folder / "runConfigurations" / "onaiml_tests.xml": _xml(component),
        misc: '<?xml version="1.0" encoding="UTF-8"?>\n' + _xml(root),
    }


def _misc(path: Path) -> ElementTree.Element:
    if not path.is_file():
        return ElementTree.Element("project", version="4")
    try:
        # The person's own project file, written by their editor.
        return ElementTree.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314
    except ElementTree.ParseError as error:
        raise ConfigError(
            f"{path} is not XML, so it is left as it is: {error}.", hint="Open the project in PyCharm once, then again."
        ) from error


def _xml(element: ElementTree.Element) -> str:
    ElementTree.indent(element)
    return ElementTree.tostring(element, encoding="unicode") + "\n"
