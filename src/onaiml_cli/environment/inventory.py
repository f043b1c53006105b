"""What a virtualenv really holds, read from its metadata folders, and how that differs from the lock."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from onaiml_cli.environment.base import Difference, Package
from onaiml_cli.environment.lock import normalise

# What `python -m venv` puts there by itself.
_SEEDS = frozenset({"pip", "setuptools", "wheel"})


def site_packages(venv: Path) -> Path | None:
    """The site-packages folder of a virtualenv; None when there is no virtualenv."""
    return next(iter(sorted(venv.glob("lib/python3.*/site-packages"))), None)


def leftovers(venv: Path) -> list[Path]:
    """What interrupted uninstalls left beside the distributions; installers take it for installed, or complain."""
    folder = site_packages(venv)
    if folder is None:
        return []
    broken = [entry for entry in folder.glob("*.dist-info") if entry.is_dir() and not (entry / "METADATA").is_file()]
    return [*broken, *(entry for entry in folder.glob("~*") if entry.is_dir())]


def installed(venv: Path) -> tuple[Package, ...]:
    """Every distribution in a virtualenv, sorted; folder names carry name and version, so nothing is opened."""
    folder = site_packages(venv)
    if folder is None:
        return ()
    found = []
    for entry in folder.glob("*.dist-info"):
        name, _, version = entry.name.removesuffix(".dist-info").rpartition("-")
        # A folder without METADATA, and one that pip moved aside (`~ix-...`), is what an interrupted uninstall leaves.
        if name and not name.startswith("~") and (entry / "METADATA").is_file():
            found.append(Package(normalise(name), version))
    return tuple(sorted(found, key=lambda package: (package.name, package.version)))


def compare(locked: Iterable[Package], found: Iterable[Package], *, ignore: Iterable[str] = ()) -> Difference:
    """How what was found differs from what is locked.

    Args:
        ignore: names that do not count as extra: the project itself.
    """
    there: dict[str, list[Package]] = {}
    for package in found:
        there.setdefault(package.name, []).append(package)
    wanted = {package.name: package for package in locked}
    passed = _SEEDS | {normalise(name) for name in ignore}
    return Difference(
        missing=tuple(package for name, package in wanted.items() if name not in there),
        # A killed upgrade leaves two versions side by side; then the wrong one is named, whichever is imported.
        changed=tuple(
            (package, other)
            for name, package in wanted.items()
            for other in there.get(name, ())
            if not _same_version(package.version, other.version)
        ),
        extra=tuple(
            package
            for name, packages in there.items()
            if name not in wanted and name not in passed
            for package in packages
        ),
    )


def _same_version(locked: str, found: str) -> bool:
    if locked == found:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        # Wheels normalise: 2025.01 in the lock is 2025.1 on disk.
        return Version(locked) == Version(found.replace("_", "-"))
    except InvalidVersion:
        return False
