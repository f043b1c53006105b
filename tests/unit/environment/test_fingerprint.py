"""One short answer to "is it the same environment?"."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from onaiml_cli.environment.fingerprint import fingerprint
from onaiml_cli.environment.lock import LockedPackage
from tests.small import python


def _package(name: str = "six", version: str = "1.0", *hashes: str) -> LockedPackage:
    return LockedPackage(name, version, hashes or ("sha256:1", "sha256:2"), frozenset({"main"}), {})


PACKAGES = (_package("a"), _package("pyspark", "4.0.2"), _package("z"))


def _fingerprint(*packages: LockedPackage, python: str = "3.11", platform: str = "linux-x86_64") -> str:
    return fingerprint(packages or PACKAGES, python=python, platform=platform)


def test_it_is_stable_for_ever() -> None:
    """Stamped on pods, clusters and images: a change of this value makes all of them strangers."""
    assert _fingerprint() == "df85bde59a52b4384a6efbabfdaf67945c493a6377868724393362d61cab1c4f"


def test_it_does_not_depend_on_order_groups_markers_or_the_index() -> None:
    other = [
        LockedPackage(package.name, package.version, package.hashes, frozenset({"test"}), {"test": "x"})
        for package in reversed(PACKAGES)
    ]
    assert _fingerprint(*other) == _fingerprint()


def _changes() -> Iterator[tuple[str, str]]:
    yield "version", _fingerprint(PACKAGES[0], PACKAGES[1], _package("z", "1.1"))
    yield "hash", _fingerprint(PACKAGES[0], PACKAGES[1], _package("z", "1.0", "sha256:1", "sha256:3"))
    yield "fewer hashes", _fingerprint(PACKAGES[0], PACKAGES[1], _package("z", "1.0", "sha256:1"))
    yield "fewer packages", _fingerprint(*PACKAGES[:2])
    yield "pyspark", _fingerprint(PACKAGES[0], _package("pyspark", "4.0.3"), PACKAGES[2])
    yield "python", _fingerprint(python="3.12")
    yield "platform", _fingerprint(platform="macosx-14-arm64")
    yield "base image", fingerprint(PACKAGES, python="3.11", platform="linux-x86_64", base_image="sha256:b")


def test_each_part_of_it_counts() -> None:
    values = dict(_changes())
    assert len({_fingerprint(), *values.values()}) == len(values) + 1


@pytest.mark.parametrize("variables", [{"TZ": "Asia/Tokyo"}, {"USER": "other", "HOME": "/"}, {"PYTHONHASHSEED": "7"}])
def test_it_is_the_same_in_another_process_folder_zone_and_for_another_user(variables: dict[str, str]) -> None:
    code = (
        "from onaiml_cli.environment.fingerprint import fingerprint\n"
        "from onaiml_cli.environment.lock import LockedPackage as L\n"
        "p = [L(n, v, ('sha256:1', 'sha256:2'), frozenset({'main', 'x', 'y'}), {}) for n, v in "
        "(('z', '1.0'), ('pyspark', '4.0.2'), ('a', '1.0'))]\n"
        "print(fingerprint(p, python='3.11', platform='linux-x86_64'))"
    )
    ran = python(code, cwd="/", env={**os.environ, **variables})
    assert (ran.stderr, ran.stdout.strip()) == ("", _fingerprint())
