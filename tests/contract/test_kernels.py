"""The kernels of a workspace: the locked Python with live library edits, and PySpark on this machine's Spark."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from onaiml_cli.spark import java
from tests.contract.kernels import kernel
from tests.contract.workspaces import Person, words_of

needs_java = pytest.mark.skipif(
    java.find() is None, reason="needs Java 17 or 21: run `make testbed` as root, or install openjdk-17-jre-headless"
)


def test_an_edit_of_the_library_shows_in_a_running_kernel(clone: Person) -> None:
    module = clone.root / "src" / "onai" / "ml" / "greeting.py"
    module.write_text("def greet():\n    return 'before'\n")
    with kernel(clone, "python3") as running:
        assert running.value("from onai.ml.greeting import greet\ngreet()") == "'before'"
        module.write_text("def greet():\n    return 'after the edit'\n")
        assert running.value("greet()") == "'after the edit'"


def test_the_kernel_holds_the_locked_packages_and_nothing_of_the_home_folder(resident: Person) -> None:
    with kernel(resident, "python3") as running:
        assert running.value("import os, sys; os.path.realpath(sys.prefix)") == repr(os.path.realpath(sys.prefix))
        assert running.value("import site; site.ENABLE_USER_SITE") == "False"


@needs_java
def test_pyspark_runs_a_pandas_udf_with_the_locked_packages(resident: Person) -> None:
    with kernel(resident, "pyspark") as running:
        status, said = running.run("1 + 1")
        assert (status, said.splitlines()[-1]) == ("ok", "2")
        code = (
            "import pandas as pd\n"
            "from pyspark.sql.functions import pandas_udf\n"
            "@pandas_udf('string')\n"
            "def prefix(x: pd.Series) -> pd.Series:\n"
            "    import os, sys\n"
            "    return x.map(lambda _: os.path.realpath(sys.prefix))\n"
            "sorted(set(spark.range(8).repartition(2).select(prefix('id').alias('p')).toPandas()['p']))"
        )
        assert running.value(code) == repr([os.path.realpath(sys.prefix)])
        assert running.value("spark.version") == "'4.0.2'"
        status = resident.ask("spark", "status")["spark"]
        assert status["state"] == "up"
        assert status["holders"] == 1

        # A second kernel joins the same server with a session of its own.
        with kernel(resident, "pyspark") as second:
            assert second.value("spark.range(5).count()").splitlines()[-1] == "5"
            assert resident.ask("spark", "status")["spark"]["url"] == status["url"]
            running.value("spark.range(3).createOrReplaceTempView('mine')")
            assert second.value("'mine' in [t.name for t in spark.catalog.listTables()]") == "False"

        # What was saved outlives the server that wrote it; a view does not.
        running.value("spark.range(7).write.saveAsTable('kept')")
        # The server ends under a live kernel: the next cell gets a new session and is told so.
        assert resident.ask("spark", "stop", "--yes")["ok"]
        said = running.value("spark.range(4).count()")
        assert "new session" in said
        assert said.splitlines()[-1] == "4"
        assert running.value("spark.table('kept').count()") == "7"
        assert running.value("[t.name for t in spark.catalog.listTables()]") == "['kept']"
        # A bad query is an error of that cell and of nothing else.
        assert running.run("spark.sql('SELEC 1')")[0] == "error"
        assert running.value("spark.range(2).count()") == "2"


@needs_java
def test_the_spark_server_listens_on_loopback_only_and_wants_its_token(resident: Person) -> None:
    endpoint = resident.ask("spark", "connect", "--holder", str(os.getpid()))["spark"]
    token_file = Path(endpoint["token_file"])
    token = token_file.read_text()
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert token not in words_of(resident.processes())
    [server] = [p for p in resident.processes() if "SparkConnectServer" in " ".join(p.cmdline())]
    addresses = {c.laddr.ip.removeprefix("::ffff:") for c in server.net_connections("inet") if c.status == "LISTEN"}
    assert addresses == {"127.0.0.1"}

    script = (
        "import sys\nfrom pyspark.sql import SparkSession\n"
        "print(SparkSession.builder.remote(sys.argv[1]).getOrCreate().range(3).count())"
    )
    import subprocess

    for secret, good in ((f";token={token}", True), (";token=wrong", False), ("", False)):
        words = [sys.executable, "-c", script, f"{endpoint['url']}/{secret}"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert (answer.returncode == 0) is good, answer
        assert (answer.stdout.strip() == "3") is good


@needs_java
def test_the_spark_server_ends_when_its_last_kernel_has_ended(person: Person) -> None:
    person.extra["ONAIML_SPARK_IDLE_AFTER"] = "1s"
    person.up()
    with kernel(person, "pyspark") as running:
        assert running.value("spark.range(3).count()").splitlines()[-1] == "3"
        [server] = [p for p in person.processes() if "SparkConnectServer" in " ".join(p.cmdline())]
    # The keeper looks every five seconds; nobody holds the server any more, so a second of that is enough here.
    gone, _ = psutil.wait_procs([server], timeout=60)
    assert gone
    assert person.ask("spark", "status")["spark"]["state"] == "down"


@needs_java
def test_a_killed_spark_server_is_seen_as_dead_and_replaced(person: Person) -> None:
    person.up()
    first = person.ask("spark", "connect", "--holder", str(os.getpid()))["spark"]
    [server] = [p for p in person.processes() if "SparkConnectServer" in " ".join(p.cmdline())]
    server.kill()
    psutil.wait_procs([server], timeout=20)
    deadline = time.monotonic() + 30
    while person.ask("spark", "status")["spark"]["state"] == "up" and time.monotonic() < deadline:
        pass
    assert person.ask("spark", "status")["spark"]["state"] in ("dead", "down")
    second = person.ask("spark", "connect", "--holder", str(os.getpid()))["spark"]
    assert second["started"]
    assert second["url"] != first["url"]
    assert person.ask("env", "down", "--yes")["ok"]
    assert words_of(person.processes()) == ""


def test_without_java_the_cell_says_so_and_the_kernel_lives(resident: Person, tmp_path: Path) -> None:
    """The command line's answer on a machine without Java, given by a stand-in for it."""
    answer = {"ok": False, "error": {"code": "E_NO_JAVA", "message": "Spark needs Java.", "hint": "Install it."}}
    stand_in = tmp_path / "cli.py"
    stand_in.write_text(f"print({json.dumps(json.dumps(answer))})")
    [folder] = (resident.state / "onaiml" / "workspaces").glob("*/jupyter")
    spec = json.loads((folder / "kernels" / "pyspark" / "kernel.json").read_text())
    spec["env"]["ONAIML_CLI"] = json.dumps([sys.executable, str(stand_in)])
    changed = folder / "kernels" / "pyspark-no-java" / "kernel.json"
    changed.parent.mkdir()
    changed.write_text(json.dumps(spec))
    with kernel(resident, "pyspark-no-java") as running:
        said = running.value("40 + 2")
        assert "No Spark session: Spark needs Java.\nInstall it." in said
        assert said.endswith("42")
        status, said = running.run("spark")
        assert status == "error"
        assert "'spark' is not defined" in said
