"""The fingerprint: one short answer to "is it the same environment?", equal wherever it is computed.

sha256 over canonical JSON (sorted keys, no blanks) of the schema version, every locked distribution with version and
file hashes, Python X.Y, platform tag, pyspark version and base image digest. Never in it: paths, user, time, the
version of any tool, credentials of an index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from onaiml_cli.environment.lock import LockedPackage

SCHEMA = 1


def fingerprint(packages: Iterable[LockedPackage], *, python: str, platform: str, base_image: str | None = None) -> str:
    """The fingerprint of an environment, 64 hexadecimal digits.

    Args:
        packages: what it holds; the order does not matter.
        python: X.Y.
        platform: tag such as `linux-x86_64`.
        base_image: digest of the image it lies in; None outside of images.
    """
    ordered = sorted(packages, key=lambda package: (package.name, package.version))
    identity = {
        "schema": SCHEMA,
        "packages": [[package.name, package.version, list(package.hashes)] for package in ordered],
        "python": python,
        "platform": platform,
        "pyspark": next((package.version for package in ordered if package.name == "pyspark"), None),
        "base_image": base_image,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
