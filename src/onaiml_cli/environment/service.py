"""The environments of a project, by the provider that the profile names."""

from __future__ import annotations

from onaiml_cli.core.config import Config
from onaiml_cli.core.errors import DriftError
from onaiml_cli.core.project import Project
from onaiml_cli.environment.base import VirtualEnvironment
from onaiml_cli.providers import provider


def virtualenv(project: Project, config: Config) -> VirtualEnvironment:
    """The virtualenv on this machine that today's lock asks for, built or not. Raises LockError and PreflightError."""
    environment: VirtualEnvironment = provider("environment", "local").of(project, config)
    return environment


def guard(environment: VirtualEnvironment) -> None:
    """Refuse the use of a place that does not hold what the lock says: DriftError names the first five packages."""
    difference = environment.difference()
    if difference is None:
        raise DriftError(
            "The environment of today's lock is not built on this machine.",
            hint="Type `onaiml env up`.",
            code="E_NOT_BUILT",
        )
    if difference:
        raise DriftError(
            f"The environment does not match the lock: {'; '.join(difference.lines())}.",
            hint="`onaiml env up` mends it.",
            details={"differences": difference.lines(limit=1000)},
        )
