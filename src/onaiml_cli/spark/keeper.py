"""The process that ends the Spark server of this machine when nobody uses it, or when it is all that is left.

It is started with the server and ends with it: `python -m onaiml_cli.spark.keeper ROOT`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onaiml_cli.core.clock import Clock, SystemClock
from onaiml_cli.core.config import load_config
from onaiml_cli.core.project import load_project
from onaiml_cli.core.state import lock
from onaiml_cli.spark import lease
from onaiml_cli.spark.local import LocalSpark

# Seconds between two looks.
_LOOK = 5.0
# A kernel at work touches its lease every 20 seconds; no limit below this can tell work from rest.
_LEAST = 60.0


def keep(spark: LocalSpark, *, clock: Clock, idle_after: float) -> str:
    """Watch until the server has ended or must end; why it ended.

    Args:
        idle_after: seconds without activity of any living holder after which the server ends; at least a minute
            counts. Without a living holder it ends after a minute, or after `idle_after` when that is less.
    """
    last_used = clock.now().timestamp()
    while True:
        clock.sleep(_LOOK)
        if spark.status().state != "up":
            return "the server ended by itself"
        now = clock.now().timestamp()
        active = lease.last_active(spark.leases)
        if active is not None:
            last_used = max(last_used, active)
        if now - last_used < (max(idle_after, _LEAST) if active is not None else min(idle_after, _LEAST)):
            continue
        # A kernel may be asking for the server in this moment; it holds this lock while it does.
        with lock(spark.home / "lock", "onaiml spark keeper", clock=clock):
            if (lease.last_active(spark.leases) or 0.0) > last_used:
                continue
            spark.stop()
            return "idle" if active is not None else "nobody uses it any more"


def main() -> int:
    """Keep the server of the project whose root is the first argument."""
    project = load_project(Path(sys.argv[1]))
    config = load_config(project)
    clock = SystemClock()
    reason = keep(LocalSpark(project, config, clock), clock=clock, idle_after=config.seconds("spark.idle_after"))
    sys.stdout.write(f"{clock.now().isoformat()} ended: {reason}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
