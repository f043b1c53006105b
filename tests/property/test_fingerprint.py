"""The fingerprint is a function of what is installed, and of nothing else."""

from __future__ import annotations

import random

from hypothesis import assume, given
from hypothesis import strategies as st

from onaiml_cli.environment.fingerprint import fingerprint
from onaiml_cli.environment.lock import LockedPackage

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}(\+cpu)?", fullmatch=True)
HASHES = st.lists(st.from_regex(r"sha256:[0-9a-f]{8}", fullmatch=True), min_size=1, max_size=3, unique=True)
PACKAGES = st.lists(
    st.builds(
        lambda name, version, hashes: LockedPackage(
            name, version, tuple(sorted(hashes)), frozenset({"main"}), {"main": ""}
        ),
        NAMES,
        VERSIONS,
        HASHES,
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda package: package.name,
)


def _print(packages: list[LockedPackage], python: str = "3.11", platform: str = "linux-x86_64") -> str:
    return fingerprint(packages, python=python, platform=platform)


@given(PACKAGES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(packages: list[LockedPackage], chance: random.Random) -> None:
    shuffled = list(packages)
    chance.shuffle(shuffled)
    assert _print(shuffled) == _print(packages)


@given(PACKAGES, st.frozensets(NAMES), st.dictionaries(NAMES, NAMES))
def test_how_a_package_came_in_does_not_matter(
    packages: list[LockedPackage], groups: frozenset[str], markers: dict[str, str]
) -> None:
    others = [LockedPackage(each.name, each.version, each.hashes, groups, markers) for each in packages]
    assert _print(others) == _print(packages)


@given(PACKAGES, st.data())
def test_any_other_content_is_another_fingerprint(packages: list[LockedPackage], data: st.DataObject) -> None:
    other = data.draw(PACKAGES)

    def content(some: list[LockedPackage]) -> set[tuple[str, str, tuple[str, ...]]]:
        return {(each.name, each.version, each.hashes) for each in some}

    assert (_print(other) == _print(packages)) is (content(other) == content(packages))


@given(PACKAGES, st.integers(0, 7), VERSIONS, HASHES)
def test_a_version_or_a_hash_changes_it(
    packages: list[LockedPackage], place: int, version: str, hashes: list[str]
) -> None:
    old = packages[place % len(packages)]
    new = LockedPackage(old.name, version, tuple(sorted(hashes)), old.groups, old.markers)
    assume((new.version, new.hashes) != (old.version, old.hashes))
    assert _print([new if each is old else each for each in packages]) != _print(packages)


@given(PACKAGES, st.text(max_size=8), st.text(max_size=8), st.none() | st.text(max_size=8))
def test_python_platform_and_image_count_each_for_itself(
    packages: list[LockedPackage], python: str, platform: str, image: str | None
) -> None:
    value = fingerprint(packages, python=python, platform=platform, base_image=image)
    assert len(value) == 64
    same = (python, platform, image) == ("3.11", "linux-x86_64", None)
    assert (value == _print(packages)) is same
