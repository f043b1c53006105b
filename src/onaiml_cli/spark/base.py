"""Spark as a noun: an endpoint that a kernel can connect to, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from onaiml_cli.core.plan import Reporter

State = Literal["up", "starting", "down", "dead"]


@dataclass(frozen=True)
class SparkEndpoint:
    """Where a Spark Connect client connects to.

    Attributes:
        url: `sc://host:port`, without the token.
        token_file: a file of mode 0600 with the token; the token itself travels in no message.
        marker: a file that exists for as long as this server does.
        lease: the file whose modification time says that its holder still uses the server; None without a holder.
        started: whether this call had to start it.
    """

    url: str
    token_file: Path
    marker: Path
    lease: Path | None = None
    started: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "token_file": str(self.token_file),
            "marker": str(self.marker),
            "lease": str(self.lease) if self.lease else None,
            "started": self.started,
        }


@dataclass(frozen=True)
class SparkStatus:
    """How a Spark server is.

    Attributes:
        holders: how many live programs hold a lease.
        idle_seconds: since the last of them did something; None while one is at work or there is no server.
    """

    state: State
    url: str = ""
    version: str = ""
    holders: int = 0
    idle_seconds: float | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "url": self.url,
            "version": self.version,
            "holders": self.holders,
            "idle_seconds": self.idle_seconds,
            "detail": self.detail,
        }


class SparkProvider(Protocol):
    """Who runs Spark."""

    def status(self) -> SparkStatus: ...

    def connect(self, report: Reporter, *, holder: int | None = None) -> SparkEndpoint:
        """The endpoint, started when there is none.

        Args:
            holder: pid of the program that will use it; the server stays while that lives and is not idle.

        Raises:
            MissingToolError: what Spark needs is not here.
            WorkFailedError: it did not start.
        """
        ...

    def stop(self) -> bool:
        """End it. True when there was something to end."""
        ...
