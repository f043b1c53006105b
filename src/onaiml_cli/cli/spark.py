"""`onaiml spark`: the Spark server that the PySpark kernel uses."""

from __future__ import annotations

from typing import Annotated

import typer

from onaiml_cli.cli.command import Result, Session, command, group
from onaiml_cli.core.clock import human_age
from onaiml_cli.core.plan import Plan, Step
from onaiml_cli.spark.service import spark_of

app = group("The Spark server that the PySpark kernel uses.")


@command(app)
def status(session: Session) -> Result:
    """Whether a server runs, and who uses it."""
    found = spark_of(session.project, session.config, session.clock).status()
    console = session.console
    idle = f", idle for {human_age(found.idle_seconds)}" if found.idle_seconds is not None else ""
    console.data(f"Spark {found.version} {found.state} {found.url}".replace("  ", " ").strip())
    if found.state == "up":
        console.data(f"  {found.holders} kernels use it{idle}")
    if found.detail:
        console.data(f"  {found.detail}")
    return {"spark": found.as_dict()}


@command(app)
def connect(
    session: Session,
    holder: Annotated[
        int | None, typer.Option("--holder", help="Process that will use it; the server stays for as long.")
    ] = None,
) -> Result:
    """Print where a Spark Connect client connects to; starts the server when there is none."""
    spark = spark_of(session.project, session.config, session.clock)
    with session.console.phase("spark", "Find or start the Spark server"):
        endpoint = spark.connect(session.console, holder=holder)
    session.console.data(endpoint.url)
    session.console.line(f"The token is in {endpoint.token_file}.")
    return {"spark": endpoint.as_dict()}


@command(app, changes=True)
def stop(session: Session) -> Result:
    """End the server; sessions on it end too."""
    spark = spark_of(session.project, session.config, session.clock)
    found = spark.status()
    steps = (Step("spark", "Stop the Spark server of this machine", lambda _: {"stopped": spark.stop()}),)
    plan = Plan("Stop Spark", steps if found.state != "down" else (), {"server": found.url})
    return session.carry_out(plan, f"{found.holders} kernels use it. Go ahead?", done="No Spark server runs.")
