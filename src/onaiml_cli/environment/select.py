"""From project and config to the exact packages and the fingerprint, remembered by content so that it is read once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import sysconfig
from pathlib import Path

from onaiml_cli.core.config import Config
from onaiml_cli.core.errors import LocalSystemError, MissingToolError, PreflightError
from onaiml_cli.core.process import clean_environment
from onaiml_cli.core.project import Project
from onaiml_cli.core.state import Store, state_home
from onaiml_cli.environment import lock as locks
from onaiml_cli.environment.base import Interpreter, Package, Selection, own_interpreter
from onaiml_cli.environment.fingerprint import fingerprint

# Run in another interpreter; printed as JSON. The names are those of PEP 508.
_PROBE = """
import json, os, platform, sys, sysconfig
v = sys.version_info
full = f"{v.major}.{v.minor}.{v.micro}" + ("" if v.releaselevel == "final" else f"{v.releaselevel[0]}{v.serial}")
print(json.dumps({"platform": sysconfig.get_platform(), "markers": {
    "implementation_name": sys.implementation.name, "implementation_version": full, "os_name": os.name,
    "platform_machine": platform.machine(), "platform_release": platform.release(),
    "platform_system": platform.system(), "platform_version": platform.version(),
    "python_full_version": full, "platform_python_implementation": platform.python_implementation(),
    "python_version": f"{v.major}.{v.minor}", "sys_platform": sys.platform}}))
"""


def interpreter(config: Config) -> Interpreter:
    """The Python that environments are built with. Raises MissingToolError when it cannot be run."""
    chosen = config.text("environment.python")
    path = Path(chosen) if chosen else own_interpreter()
    if not chosen and sys.implementation.name == "cpython":
        from packaging.markers import default_environment

        markers = {str(name): str(value) for name, value in default_environment().items()}
        return Interpreter(path, markers["python_full_version"], markers, sysconfig.get_platform())
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _PROBE], capture_output=True, text=True, check=True, env=clean_environment(), timeout=30
        )
        facts = json.loads(answer.stdout)
        return Interpreter(path, facts["markers"]["python_full_version"], facts["markers"], facts["platform"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise MissingToolError(
            f"{path} is not a Python that can be run.", hint="Set environment.python to one, or leave it out."
        ) from error


def check_python(project: Project, python: Interpreter) -> None:
    """Raises PreflightError when the project does not run on this Python."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(project.requires_python)
    except InvalidSpecifier:
        return
    if not allowed.contains(python.version, prereleases=True):
        raise PreflightError(
            f"{project.name} needs Python {project.requires_python}; {python.path} is {python.version}.",
            hint="Set environment.python to a fitting one, such as /usr/bin/python3.11.",
            code="E_PYTHON",
        )


def select(project: Project, config: Config) -> Selection:
    """What the workspace's environment of this project must hold.

    The answer for one lock, choice and interpreter is kept in the state folder: parsing a lock of 200 packages takes
    a tenth of a second, hashing it a thousandth.

    Raises:
        LockError: no lock, a broken one, or one that does not match pyproject.toml.
        PreflightError: the interpreter does not fit the project.
    """
    python = interpreter(config)
    check_python(project, python)
    content = locks.lock_bytes(project)
    locks.check_fresh(project, content)
    extras, groups = config.items("environment.extras"), config.items("environment.groups")
    # The kernel's version differs between hosts and is in no marker of use, but in the variables; so it is left out.
    markers = {
        name: value for name, value in python.markers.items() if name not in ("platform_release", "platform_version")
    }
    asked = json.dumps([hashlib.sha256(content).hexdigest(), extras, groups, markers, python.platform], sort_keys=True)
    key = hashlib.sha256(asked.encode()).hexdigest()[:24]
    cache = Store(state_home() / "selections", schema=1)
    kept = _recall(cache, key, python)
    if kept is not None:
        return kept
    chosen = locks.parse(content).select(extras=extras, groups=groups, markers=python.markers)
    selection = Selection(
        fingerprint=fingerprint(chosen, python=python.minor, platform=python.platform),
        packages=tuple(package.package for package in chosen),
        extras=tuple(extras),
        groups=tuple(groups),
        interpreter=python,
    )
    # Remembering is a courtesy: on a full or read-only disk everything that only looks must still work.
    with contextlib.suppress(LocalSystemError):
        cache.write(key, selection.as_dict())
    return selection


def _recall(cache: Store, key: str, python: Interpreter) -> Selection | None:
    """The remembered selection; None for one that is not there, spoilt, or of another version."""
    try:
        document = cache.read(key) or {}
        return Selection(
            fingerprint=document["fingerprint"],
            packages=tuple(Package(name, version) for name, version in document["packages"]),
            extras=tuple(document["extras"]),
            groups=tuple(document["groups"]),
            interpreter=python,
        )
    except (LocalSystemError, KeyError, TypeError, ValueError):
        return None


def requirements(project: Project, selection: Selection) -> str:
    """The requirements file of a selection, hashes and all."""
    lock = locks.parse(locks.lock_bytes(project))
    chosen = lock.select(extras=selection.extras, groups=selection.groups, markers=selection.interpreter.markers)
    return locks.requirements(chosen)
