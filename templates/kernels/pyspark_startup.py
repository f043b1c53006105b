# Runs at the start of the PySpark kernel. Standard library and pyspark only: the kernel's environment is the
# project's, the command line lives elsewhere and is asked as a program.
#
# The server starts while the person types; the first cell waits for it. When an idle server was ended, the next cell
# gets a new session and is told so.
def _onaiml_spark():
    import json
    import os
    import subprocess
    import sys
    import threading

    shell = get_ipython()  # noqa: F821
    state = {"session": None, "marker": None, "lease": None, "busy": False, "asked": None}

    def ask():
        command = [*json.loads(os.environ["ONAIML_CLI"]), "spark", "connect", "--holder", str(os.getpid()), "--json"]
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        answer = subprocess.run(command, cwd=os.environ["ONAIML_ROOT"], capture_output=True, text=True, env=environment)
        try:
            return json.loads(answer.stdout)
        except ValueError:
            return {"ok": False, "error": {"message": answer.stderr.strip() or "onaiml gave no answer", "hint": ""}}

    def ask_in_background():
        answers = []
        thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
        thread.start()
        state["asked"] = (thread, answers)

    def open_session():
        thread, answers = state["asked"]
        if thread.is_alive():
            print("Spark is starting on this machine ...", file=sys.stderr)
        thread.join()
        state["asked"] = None
        answer = answers[0] if answers else {"ok": False, "error": {"message": "onaiml could not be run", "hint": ""}}
        if not answer.get("ok"):
            error = answer["error"]
            print(f"No Spark session: {error['message']}\n{error['hint']}", file=sys.stderr)
            shell.user_ns.pop("spark", None)
            return
        endpoint = answer["spark"]
        from pyspark.sql import SparkSession

        with open(endpoint["token_file"]) as file:
            token = file.read()
        again = state["session"] is not None
        session = SparkSession.builder.remote(f"{endpoint['url']}/;token={token}").create()
        state.update(session=session, marker=endpoint["marker"], lease=endpoint["lease"])
        shell.user_ns["spark"] = session
        if again:
            print(
                "Spark had ended; this is a new session: temporary views and cached tables are gone.", file=sys.stderr
            )

    def beat():
        import time

        while True:
            time.sleep(20)
            if state["busy"]:
                touch()

    def touch():
        try:
            os.utime(state["lease"])
        except (OSError, TypeError):
            pass

    def before(info):
        state["busy"] = True
        alive = state["session"] is not None and os.path.exists(state["marker"])
        if not alive:
            if state["asked"] is None:
                ask_in_background()
            open_session()
        touch()

    def after(result):
        state["busy"] = False
        touch()

    ask_in_background()
    threading.Thread(target=beat, daemon=True).start()
    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)


_onaiml_spark()
del _onaiml_spark
