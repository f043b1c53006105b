"""The workspace on this machine: a virtualenv from the lock, kernel specs, and JupyterLab as a process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from onaiml_cli.core.clock import Clock, SystemClock
from onaiml_cli.core.config import Config
from onaiml_cli.core.errors import LocalSystemError, LockError, PreflightError, from_os_error
from onaiml_cli.core.plan import Plan, Reporter, Step
from onaiml_cli.core.process import ProcessId, clean_environment, stop, stop_marked
from onaiml_cli.core.project import Project
from onaiml_cli.core.resources import template
from onaiml_cli.core.state import state_home
from onaiml_cli.environment.base import VirtualEnvironment
from onaiml_cli.environment.service import guard, virtualenv
from onaiml_cli.spark import java
from onaiml_cli.spark.service import local_spark
from onaiml_cli.workspace import jupyter, kernels
from onaiml_cli.workspace.base import State, WorkspaceStatus, documents

# So many times a port is chosen anew when another program is quicker to take it.
_PORT_TRIES = 4


@dataclass(frozen=True)
class LocalWorkspace:
    """The workspace of a project as processes on this machine."""

    project: Project
    config: Config
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def environment(self) -> VirtualEnvironment:
        return virtualenv(self.project, self.config)

    @property
    def home(self) -> Path:
        return state_home() / "workspaces" / self.project.identity

    @property
    def token_file(self) -> Path:
        return self.home / "token"

    def log(self) -> Path:
        return state_home() / "logs" / f"{self.project.identity}-jupyter.log"

    # Status

    def _document(self) -> Mapping[str, Any] | None:
        return documents().read(self.project.identity)

    def _process(self, document: Mapping[str, Any] | None) -> ProcessId | None:
        return ProcessId.from_dict(document.get("process", {})) if document else None

    def status(self) -> WorkspaceStatus:
        document = self._document()
        if document is None:
            return WorkspaceStatus(self.project.name, self.project.root, "local", "down")
        state: State
        process = self._process(document)
        port = int(document.get("port", 0))
        if process is None or not process.alive:
            state, detail = "dead", "JupyterLab ended by itself; `onaiml env up` starts it again."
        elif jupyter.ask(port, self.token_file) is None:
            state, detail = "starting", "JupyterLab runs and does not answer; `onaiml env logs` shows what it says."
        else:
            state, detail = "up", ""
        try:
            matches: bool | None = document.get("fingerprint") == self.environment.selection.fingerprint
            if matches and self.environment.difference():
                matches = False
            if not matches:
                detail = detail or "It runs another environment than the lock's; `onaiml env up` moves it."
        except (LockError, PreflightError) as error:
            matches, detail = None, detail or error.message
        return WorkspaceStatus(
            name=self.project.name,
            root=self.project.root,
            provider="local",
            state=state,
            url=f"http://{jupyter.HOST}:{port}/lab",
            token_file=self.token_file,
            fingerprint=str(document.get("fingerprint", "")),
            matches=matches,
            since=datetime.fromisoformat(document["since"]) if "since" in document else None,
            pid=process.pid if process else None,
            detail=detail,
        )

    def address(self) -> str:
        status = self.status()
        if status.state != "up":
            raise PreflightError(
                f"The workspace of {self.project.name} is {status.state}.",
                hint="Type `onaiml env up`.",
                code="E_NOT_UP",
            )
        return f"{status.url}?token={self.token_file.read_text(encoding='utf-8')}"

    # Up

    def plan_up(self, *, port: int | None = None) -> tuple[Plan, list[str]]:
        environment = self.environment
        self._check_selection()
        warnings: list[str] = []
        steps = [*self._java_steps(warnings), *environment.steps()]
        wanted = self._kernels()
        stale = kernels.outdated(self.home / "jupyter", wanted)
        if stale:
            titles = " and ".join(f"'{kernels.title(wanted[name])}'" for name in stale)
            text = f"Write the kernel spec{'s' if len(stale) > 1 else ''} {titles}"
            steps.append(Step("kernels", text, lambda _: kernels.write(self.home / "jupyter", wanted)))
        steps += self._server_steps(port)
        names = {"project": f"{self.project.name} in {self.project.root}", "environment": str(environment.path)}
        title = f"Bring up the workspace of {self.project.name}"
        return Plan(title, tuple(steps), names, fingerprint=environment.selection.fingerprint), warnings

    def _check_selection(self) -> None:
        """Raises PreflightError when the environment would hold no JupyterLab."""
        have = {package.name for package in self.environment.selection.packages}
        for name in ("jupyterlab", "ipykernel"):
            if name not in have:
                raise PreflightError(
                    f"The workspace of {self.project.name} would hold no {name}.",
                    hint="Lock it (`poetry add --group notebook jupyterlab ipykernel`) and name its group or extra in "
                    "environment.groups or environment.extras.",
                    code="E_NO_JUPYTER",
                )

    def _kernels(self) -> Mapping[str, str]:
        spark = any(package.name == "pyspark" for package in self.environment.selection.packages)
        startup = template("kernels/pyspark_startup.py")
        return kernels.specs(self.environment.python, root=self.project.root, startup=startup, spark=spark)

    def _java_steps(self, warnings: list[str]) -> list[Step]:
        needed = any(package.name == "pyspark" for package in self.environment.selection.packages)
        if not needed or java.find() is not None:
            return []
        if java.can_install():
            return [java.install_step()]
        missing = java.missing()
        warnings.append(f"{missing.message} Only Spark waits for it. {missing.hint}")
        return []

    def _server_steps(self, port: int | None) -> list[Step]:
        status = self.status()
        document = self._document() or {}
        ours = document.get("fingerprint") == self.environment.selection.fingerprint
        moved = port is not None and port != document.get("port")
        if status.state == "up" and ours and not moved:
            return []
        exact, preferred = port is not None, port if port is not None else self.config.number("workspace.port")
        if status.state in ("up", "starting"):
            # Its own port becomes free when it ends.
            preferred = preferred if exact else int(document["port"])
            text = f"Restart JupyterLab on {jupyter.HOST}:{preferred} in the environment of the lock (its kernels end)"
        else:
            preferred = jupyter.choose_port(preferred, exact=exact)
            text = f"Start JupyterLab on {jupyter.HOST}:{preferred}"
        return [Step("jupyter", text, lambda report: self._start_server(report, preferred, exact=exact))]

    def _start_server(self, report: Reporter, port: int, *, exact: bool) -> Mapping[str, Any]:
        self._stop_server()
        for _ in range(_PORT_TRIES - 1):
            port = jupyter.choose_port(port, exact=exact)
            try:
                return self._start_at(report, port)
            except LocalSystemError as error:
                # Between the choice and the bind lie the seconds in which JupyterLab starts; another may be quicker.
                if exact or error.code != "E_PORT_BUSY":
                    raise
                report.note(f"port {port} was just taken, trying the next")
                port += 1
        return self._start_at(report, jupyter.choose_port(port, exact=exact))

    def _start_at(self, report: Reporter, port: int) -> Mapping[str, Any]:
        self.log().unlink(missing_ok=True)
        server = jupyter.start(
            python=self.environment.python,
            root=self.project.root,
            home=self.home,
            port=port,
            token_file=self.token_file,
            log=self.log(),
            path=self._path(),
        )
        # Written before it answers: when this command is killed now, `status` and `down` still know the process.
        document = {
            "name": self.project.name,
            "root": str(self.project.root),
            "provider": "local",
            "process": server.process.as_dict(),
            "port": port,
            "fingerprint": self.environment.selection.fingerprint,
            "since": self.clock.now().isoformat(),
        }
        try:
            documents().write(self.project.identity, document)
            report.note("waiting until its API answers")
            timeout = self.config.seconds("workspace.start_timeout")
            jupyter.wait_ready(server, self.token_file, log=self.log(), clock=self.clock, timeout=timeout)
        except BaseException:
            stop(server.process)
            documents().delete(self.project.identity)
            raise
        return {"url": server.url, "port": port}

    # Down

    def plan_down(self) -> Plan:
        status = self.status()
        steps = []
        if status.state in ("up", "starting"):
            text = f"Stop JupyterLab on {status.url} and its kernels"
            steps.append(Step("jupyter", text, lambda _: self._stop_server()))
        elif status.state == "dead":
            steps.append(Step("jupyter", "Forget the JupyterLab that ended by itself", lambda _: self._stop_server()))
        spark = local_spark(self.project, self.config, self.clock)
        if spark.status().state != "down":
            steps.append(Step("spark", "Stop the Spark server of this machine", lambda _: {"stopped": spark.stop()}))
        return Plan(
            f"Take down the workspace of {self.project.name}", tuple(steps), {"project": str(self.project.root)}
        )

    def _stop_server(self) -> None:
        process = self._process(self._document())
        if process is not None:
            stop(process, grace=10)
        stop_marked(jupyter.MARK, str(self.home))
        documents().delete(self.project.identity)
        self.token_file.unlink(missing_ok=True)

    # Use

    def environment_python(self) -> Path:
        guard(self.environment)
        return self.environment.python

    def editor_kernels(self) -> Mapping[Path, str]:
        # Editors look beside the interpreter. `python3` there is ipykernel's own and right already.
        folder = self.environment.path / "share" / "jupyter" / "kernels"
        return {folder / name / "kernel.json": text for name, text in self._kernels().items() if name != "python3"}

    def _path(self) -> str:
        return os.pathsep.join([str(self.environment.path / "bin"), os.environ.get("PATH", os.defpath)])

    def execute(self, command: Sequence[str], *, output: IO[str] | None = None) -> int:
        guard(self.environment)
        variables = clean_environment(PATH=self._path(), VIRTUAL_ENV=str(self.environment.path))
        # Popen would look the program up in *our* PATH.
        program = shutil.which(command[0], path=variables["PATH"]) or command[0]
        try:
            child = subprocess.Popen([program, *command[1:]], cwd=self.project.root, env=variables, stdout=output)
        except FileNotFoundError as error:
            raise PreflightError(
                f"There is no program `{command[0]}` in the workspace.",
                hint="`onaiml env shell` opens a shell there; a package comes by `poetry add`, then `onaiml env up`.",
                code="E_NO_PROGRAM",
            ) from error
        except OSError as error:
            raise from_os_error(error) from error
        # Ctrl-C goes to the child by the terminal; how it answers is its affair.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = child.wait()
        finally:
            signal.signal(signal.SIGINT, previous)
        return 128 - status if status < 0 else status

    def shell(self) -> int:
        return self.execute([os.environ.get("SHELL") or "/bin/sh"])
