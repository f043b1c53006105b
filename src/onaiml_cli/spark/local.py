"""Spark on this machine: one Spark Connect server a project, started when a kernel asks, ended when idle.

It comes whole with the pyspark package of the locked environment, so client and server are one version. It listens on
loopback only and wants a token: other users of the machine could run code through it otherwise.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from onaiml_cli.core.clock import Clock, SystemClock, wait_until
from onaiml_cli.core.config import Config
from onaiml_cli.core.errors import PreflightError, WorkFailedError
from onaiml_cli.core.plan import Reporter
from onaiml_cli.core.process import ProcessId, clean_environment, start_detached, stop
from onaiml_cli.core.project import Project
from onaiml_cli.core.state import Store, data_home, lock, private_folder, state_home, write_atomic
from onaiml_cli.environment.service import guard, virtualenv
from onaiml_cli.spark import java, lease
from onaiml_cli.spark.base import SparkEndpoint, SparkStatus

_STARTED = re.compile(r"Spark Connect server started at: .*?:(\d+)\s*$", re.MULTILINE)
_GIB = 1024**3


@dataclass(frozen=True)
class LocalSpark:
    """The Spark Connect server of a project on this machine."""

    project: Project
    config: Config
    clock: Clock = field(default_factory=SystemClock)

    @property
    def home(self) -> Path:
        return state_home() / "spark" / self.project.identity

    @property
    def store(self) -> Store:
        return Store(state_home() / "spark")

    @property
    def leases(self) -> Path:
        return self.home / "leases"

    @property
    def token_file(self) -> Path:
        return self.home / "token"

    @property
    def log(self) -> Path:
        return state_home() / "logs" / f"{self.project.identity}-spark.log"

    @property
    def marker(self) -> Path:
        return self.store.path(self.project.identity)

    def status(self) -> SparkStatus:
        document = self.store.read(self.project.identity)
        if document is None:
            return SparkStatus("down")
        server = ProcessId.from_dict(document.get("server", {}))
        if server is None or not server.alive:
            detail = "It ended by itself; the next PySpark cell starts another."
            return SparkStatus("dead", detail=detail)
        active = lease.last_active(self.leases)
        holders = sum(1 for _ in lease.living(self.leases))
        idle = None if active is None else max(0.0, self.clock.now().timestamp() - active)
        return SparkStatus("up", document["url"], document["version"], holders, idle)

    def connect(self, report: Reporter, *, holder: int | None = None) -> SparkEndpoint:
        private_folder(self.leases)
        with lock(self.home / "lock", "onaiml spark", clock=self.clock):
            # The lease comes first, so that the keeper sees a user from its first look on.
            identity = ProcessId.of(holder) if holder is not None else None
            granted = lease.grant(self.leases, identity) if identity else None
            started = self.status().state != "up"
            if started:
                self._start(report)
            document = self.store.read(self.project.identity) or {}
            return SparkEndpoint(document["url"], self.token_file, self.marker, granted, started)

    def stop(self) -> bool:
        document = self.store.read(self.project.identity)
        if document is None:
            return False
        stopped = False
        # The server first: a keeper that sees it gone ends by itself.
        for role in ("server", "keeper"):
            identity = ProcessId.from_dict(document.get(role, {}))
            if identity is not None and identity.pid != os.getpid():
                stopped = stop(identity) or stopped
        self.store.delete(self.project.identity)
        shutil.rmtree(self.home / "work", ignore_errors=True)
        self.token_file.unlink(missing_ok=True)
        return stopped

    def _start(self, report: Reporter) -> None:
        runtime = java.find()
        if runtime is None:
            raise java.missing()
        environment = virtualenv(self.project, self.config)
        # Spark outlives the JupyterLab whose kernel asked for it: it must not be taken for a part of it.
        os.environ.pop("ONAIML_JUPYTER_OF", None)
        guard(environment)
        home = next(environment.path.glob("lib/python3.*/site-packages/pyspark"), None)
        if home is None:
            raise PreflightError(
                "The environment holds no pyspark.",
                hint="Add the extra that brings it to environment.extras, then `onaiml env up`.",
                code="E_NO_PYSPARK",
            )
        self.stop()
        report.note("starting the Spark Connect server")
        properties = self._write_properties()
        self.log.unlink(missing_ok=True)
        private_folder(self.home / "work")
        variables = clean_environment(
            JAVA_HOME=str(runtime.home),
            SPARK_HOME=str(home),
            SPARK_LOCAL_IP="127.0.0.1",
            PYSPARK_PYTHON=str(environment.python),
            PYTHONNOUSERSITE="1",
        )
        command: list[str | Path] = [
            home / "bin" / "spark-submit",
            "--properties-file",
            properties,
            "--class",
            "org.apache.spark.sql.connect.service.SparkConnectServer",
            "spark-internal",
        ]
        server = start_detached(command, log=self.log, cwd=self.home / "work", env=variables)
        try:
            port = self._wait(server)
        except BaseException:
            stop(server)
            raise
        version = next((p.version for p in environment.selection.packages if p.name == "pyspark"), "")
        document = {
            "project": str(self.project.root),
            "url": f"sc://localhost:{port}",
            "version": version,
            "server": server.as_dict(),
            "since": self.clock.now().isoformat(),
        }
        self.store.write(self.project.identity, document)
        keeper = start_detached(
            [sys.executable, "-m", "onaiml_cli.spark.keeper", str(self.project.root)],
            log=state_home() / "logs" / f"{self.project.identity}-spark-keeper.log",
            cwd=self.project.root,
            env={**os.environ, "ONAIML_PROFILE": self.config.profile},
        )
        self.store.write(self.project.identity, {**document, "keeper": keeper.as_dict()})

    def _wait(self, server: ProcessId) -> int:
        timeout = self.config.seconds("spark.start_timeout")

        def port() -> int | None:
            if not server.alive:
                return -1
            text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
            found = _STARTED.search(text)
            return int(found[1]) if found else None

        found = wait_until(port, clock=self.clock, timeout=timeout, first=0.2, longest=0.5)
        if found is None or found < 0:
            lines = [
                line
                for line in self.log.read_text(errors="replace").splitlines()
                if "rror" in line or "xception" in line
            ]
            cause = lines[0].strip()[-300:] if lines else "it printed no error"
            what = f"did not answer within {timeout:.0f} s" if found is None else "ended while it started"
            raise WorkFailedError(f"Spark {what}: {cause}", hint=f"See {self.log}.", code="E_SPARK_START")
        return found

    def _write_properties(self) -> Path:
        """The server's settings, in a file of mode 0600: a command line can be read by every user of the machine."""
        token = secrets.token_hex(24)
        write_atomic(self.token_file, token)
        tables = private_folder(data_home() / "tables" / self.project.identity)
        cores = self.config.number("spark.cores") or os.cpu_count() or 1
        settings = {
            "spark.master": f"local[{cores}]",
            "spark.app.name": f"onaiml {self.project.name}",
            "spark.driver.memory": self._memory(),
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            # The server takes a free port and prints it: nothing can take it in between.
            "spark.connect.grpc.binding.port": "0",
            "spark.connect.authenticate.token": token,
            "spark.local.dir": str(self.home / "work"),
            # What `saveAsTable` wrote outlives the server: its catalogue lies beside it.
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.warehouse.dir": str(tables / "warehouse"),
            "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={tables}/catalog;create=true",
            # One machine: 200 shuffle partitions would be 200 tasks for every small join.
            "spark.sql.shuffle.partitions": str(max(2, 2 * cores)),
            "spark.sql.execution.arrow.pyspark.enabled": "true",
        }
        path = self.home / "spark.properties"
        write_atomic(path, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return path

    def _memory(self) -> str:
        chosen = self.config.text("spark.memory")
        if chosen != "auto":
            return chosen
        quarter = psutil.virtual_memory().total // 4
        return f"{max(1, min(8, quarter // _GIB))}g"
