"""poetry.lock, read without Poetry: which files, with which hashes, belong to an environment.

Reads lock versions 2.1 and later of the 2.x line: they carry groups and markers per package, so that no dependency
solving is needed here. Markers are evaluated by `packaging`, for the interpreter that will use them.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from onaiml_cli.core.errors import LockError
from onaiml_cli.core.project import Project, table
from onaiml_cli.environment.base import Package

_LOCK_HINT = "Type `poetry lock`, commit the result, then run the same command again."

_EXTRA = re.compile(
    r"""\bextra\s*(?P<sign>==|!=)\s*["'](?P<name>[^"']+)["']"""
    r"""|["'](?P<left>[^"']+)["']\s*(?P<turned>==|!=)\s*extra\b"""
)


@dataclass(frozen=True)
class LockedPackage:
    """One entry of the lock.

    Attributes:
        hashes: of every file of this version, `sha256:...`, sorted.
        groups: dependency groups that need it.
        markers: when it applies, by group; a group without one always needs it.
        source: type and address when it does not come from an index.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    groups: frozenset[str]
    markers: Mapping[str, str]
    source: str = ""

    @property
    def package(self) -> Package:
        return Package(self.name, self.version)


@dataclass(frozen=True)
class Lock:
    """A parsed poetry.lock."""

    packages: tuple[LockedPackage, ...]
    extras: frozenset[str]
    groups: frozenset[str]

    def select(
        self, *, extras: Iterable[str], groups: Iterable[str], markers: Mapping[str, str]
    ) -> tuple[LockedPackage, ...]:
        """What an environment with these extras and groups holds, sorted by name.

        Args:
            groups: besides `main`.
            markers: the PEP 508 variables of the target.

        Raises:
            LockError: an extra or group that the lock does not know.
        """
        wanted_extras = frozenset(normalise(extra) for extra in extras)
        wanted_groups = frozenset(normalise(group) for group in groups) | {"main"}
        for kind, wanted, known in (("extra", wanted_extras, self.extras), ("group", wanted_groups, self.groups)):
            for name in sorted(wanted - known - {"main"}):
                raise LockError(
                    f"The lock has no {kind} `{name}`; it has {', '.join(sorted(known)) or 'none'}.",
                    hint=f"Change environment.{kind}s in the config, or declare `{name}` and type `poetry lock`.",
                    code="E_LOCK_SELECTION",
                )
        chosen = []
        answers: dict[str, bool] = {}
        for package in self.packages:
            for group in package.groups & wanted_groups:
                text = package.markers.get(group, "")
                if text not in answers:
                    answers[text] = not text or _asked(package, text, markers, wanted_extras)
                if answers[text]:
                    chosen.append(package)
                    break
        return tuple(sorted(chosen, key=lambda package: package.name))


def _asked(package: LockedPackage, text: str, variables: Mapping[str, str], extras: frozenset[str]) -> bool:
    """`_holds`, with the package named when its marker is none."""
    try:
        return _holds(text, variables, extras)
    except (ValueError, TypeError) as error:
        raise LockError(
            f"poetry.lock is broken: the marker of {package.name}, {text!r}, cannot be read.",
            hint=_LOCK_HINT,
            code="E_LOCK_BROKEN",
        ) from error


def _holds(text: str, variables: Mapping[str, str], extras: frozenset[str]) -> bool:
    """Whether a marker holds when a *set* of extras is chosen.

    `packaging` knows one extra at a time, under which `extra == "a" and extra != "b"` cannot be asked; so each
    comparison with an extra is replaced by its truth before the rest is evaluated.
    """
    from packaging.markers import Marker

    def truth(match: re.Match[str]) -> str:
        chosen = normalise(match["name"] or match["left"]) in extras
        wanted = (match["sign"] or match["turned"]) == "=="
        return 'python_version >= "0"' if chosen == wanted else 'python_version < "0"'

    return Marker(_EXTRA.sub(truth, text)).evaluate(dict(variables))


def normalise(name: str) -> str:
    """The normalised form of a distribution, extra or group name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _content_hashes(pyproject: Mapping[str, Any]) -> set[str]:
    """The content hashes with which Poetry would accept the lock: today's, and that of Poetry before 2.3.

    Source: `poetry.packages.locker.Locker._get_content_hash`, Poetry 2.5.
    """
    declared, tool = table(pyproject, "project"), table(pyproject, "tool", "poetry")
    project = {
        key: declared[key]
        for key in ("requires-python", "dependencies", "optional-dependencies")
        if declared.get(key) is not None
    }
    hashes = set()
    none: dict[str, Any] = {}
    for groups in (none, pyproject.get("dependency-groups", {})):
        poetry = {
            key: tool.get(key)
            for key in ("dependencies", "source", "extras", "dev-dependencies", "group")
            if tool.get(key) is not None or (key != "group" and not project and not groups)
        }
        content: dict[str, Any] = {}
        if project:
            content["project"] = project
        if groups:
            content["dependency-groups"] = groups
        content = {**content, "tool": {"poetry": poetry}} if content else poetry
        hashes.add(hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest())
    return hashes


def lock_bytes(project: Project) -> bytes:
    """The lock file's bytes. Raises LockError when there is none or it cannot be read."""
    try:
        return project.lock_path.read_bytes()
    except FileNotFoundError:
        raise LockError(
            f"{project.name} has no poetry.lock, so there is nothing to build the environment from.",
            hint=_LOCK_HINT,
            code="E_LOCK_MISSING",
        ) from None
    except OSError as error:
        raise LockError(
            f"{project.lock_path} cannot be read: {error.strerror}.", hint=_LOCK_HINT, code="E_LOCK_BROKEN"
        ) from error


def check_fresh(project: Project, content: bytes) -> None:
    """Raises LockError when pyproject.toml changed after the lock was made (as `poetry check --lock`)."""
    found = re.search(rb'^content-hash = "([0-9a-f]{64})"', content, re.MULTILINE)
    if found is None:
        raise LockError(
            "poetry.lock is cut off or not a lock: it has no content hash.", hint=_LOCK_HINT, code="E_LOCK_BROKEN"
        )
    if found[1].decode() not in _content_hashes(project.pyproject):
        raise LockError(
            "poetry.lock does not match pyproject.toml: a dependency was changed after the lock was made.",
            hint=_LOCK_HINT,
            code="E_LOCK_STALE",
        )


def parse(content: bytes) -> Lock:
    """Parse a poetry.lock. Raises LockError when it is broken or of a version that is not read here."""
    try:
        document = tomllib.loads(content.decode("utf-8"))
        metadata = document["metadata"]
        version = tuple(int(part) for part in str(metadata["lock-version"]).split("."))
        if version < (2, 1) or version >= (3,):
            raise LockError(
                f"poetry.lock is of version {metadata['lock-version']}; 2.1 or a later 2.x is needed.",
                hint="Type `poetry lock` with Poetry 2 to write it anew at the same versions.",
                code="E_LOCK_VERSION",
            )
        packages = tuple(_entry(entry) for entry in document.get("package", ()))
        extras = frozenset(normalise(name) for name in document.get("extras", {}))
    except RecursionError as error:
        raise LockError("poetry.lock is broken: nested too deeply.", hint=_LOCK_HINT, code="E_LOCK_BROKEN") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LockError(f"poetry.lock is broken: {error}.", hint=_LOCK_HINT, code="E_LOCK_BROKEN") from error
    groups = frozenset(group for package in packages for group in package.groups)
    return Lock(packages, extras, groups)


def _entry(entry: Mapping[str, Any]) -> LockedPackage:
    groups = frozenset(normalise(group) for group in entry["groups"])
    marker = entry.get("markers", {})
    markers = dict.fromkeys(groups, marker) if isinstance(marker, str) else {normalise(k): v for k, v in marker.items()}
    source = entry.get("source", {})
    return LockedPackage(
        name=normalise(entry["name"]),
        version=str(entry["version"]),
        hashes=tuple(sorted(str(file["hash"]) for file in entry["files"])),
        groups=groups,
        markers=markers,
        source="" if not source or source.get("type") == "legacy" else f"{source['type']} {source['url']}",
    )


def requirements(packages: Iterable[LockedPackage]) -> str:
    """A requirements file with every hash, for `--require-hashes`. Raises LockError for what has none."""
    lines = []
    for package in packages:
        if package.source or not package.hashes:
            raise LockError(
                f"{package.name} {package.version} has no hash to verify ({package.source or 'no files in the lock'}).",
                hint="Publish it to an index and lock that version.",
                code="E_LOCK_HASH",
            )
        hashes = " ".join(f"--hash={value}" for value in package.hashes)
        lines.append(f"{package.name}=={package.version} {hashes}\n")
    return "".join(lines)
