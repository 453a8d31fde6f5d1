"""Steps of real pipelines under real debuggers: `sluice run debug`, spoken to as VS Code and DevTools speak."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kfp
import pytest
import websocket
from conftest import Kubectl, eventually
from kfp import dsl

SLUICE = [os.environ.get("NODE", "node"), str(Path(__file__).parents[1] / "packages/cli/bin/sluice.js")]
POD = re.compile(r"created pod (\S+):")
ADDRESS = re.compile(r"A debugger may attach at 127\.0\.0\.1:(\d+)")


@dsl.component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    with open(data.path, "w") as file:
        file.write(text)


@dsl.component
def count(data: dsl.Input[dsl.Dataset], wanted: int) -> int:
    """Counts letters."""
    with open(data.path) as file:
        text = file.read()
    assert len(text) == wanted, f"{len(text)} letters"
    return len(text)


@dsl.container_component
def shout(text: str):
    return dsl.ContainerSpec(image="busybox", command=["sh", "-c", "echo $0; exit 3"], args=[text])


@dsl.container_component
def script(text: str):
    program = "import sys\nword = sys.argv[1]\nprint('got', word)\nsys.exit(5)"
    return dsl.ContainerSpec(image="python:3.12", command=["python3", "-u", "-c", program], args=[text])


@dsl.pipeline(name="debugged")
def debugged(text: str = "hello"):
    made = write(text=text).set_display_name("write it")
    count(data=made.outputs["data"], wanted=6)
    shout(text="it's $HOME")
    script(text=text)
    with dsl.ParallelFor([1], name="loop"):
        write(text="in a loop")


class Session:
    """One `sluice run debug`; its words are collected as it writes them."""

    def __init__(self, process: subprocess.Popen[str], errors: Path, output: Path):
        self.process, self.errors, self.output = process, errors, output

    def said(self, pattern: re.Pattern[str]) -> re.Match[str]:
        def look() -> re.Match[str] | None:
            assert self.process.poll() is None or pattern.search(self.errors.read_text()), self.errors.read_text() + self.output.read_text()
            return pattern.search(self.errors.read_text())

        return eventually(look, timeout=120)

    def port(self) -> int:
        return int(self.said(ADDRESS)[1])

    def ends(self) -> int:
        return self.process.wait(timeout=60)


@pytest.fixture
def debug(url: str, tmp_path: Path):
    @contextmanager
    def start(*arguments: str, stdin: int = subprocess.DEVNULL) -> Iterator[Session]:
        errors, output = tmp_path / "stderr", tmp_path / "stdout"
        command = [*SLUICE, "run", "debug", *arguments, "--host", url]
        with errors.open("w") as err, output.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=err, stdin=stdin, text=True)
        try:
            yield Session(process, errors, output)
        finally:
            process.terminate()
            process.wait(timeout=30)

    return start


class Dap:
    """As much of the Debug Adapter Protocol as an editor speaks."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream = self.socket.makefile("rwb")
        self.sequence = 0
        self.waiting: list[dict] = []

    def send(self, command: str, **arguments) -> int:
        self.sequence += 1
        body = json.dumps({"seq": self.sequence, "type": "request", "command": command, "arguments": arguments}).encode()
        self.stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.stream.flush()
        return self.sequence

    def receive(self) -> dict:
        length = 0
        while line := self.stream.readline().strip():
            length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else length
        return json.loads(self.stream.read(length))

    def wait(self, **wanted) -> dict:
        fits = lambda message: all(message.get(key) == value for key, value in wanted.items())  # noqa: E731
        for index, message in enumerate(self.waiting):
            if fits(message):
                return self.waiting.pop(index)
        while not fits(message := self.receive()):
            self.waiting.append(message)
        return message

    def ask(self, command: str, **arguments) -> dict:
        answer = self.wait(type="response", request_seq=self.send(command, **arguments))
        assert answer["success"], answer
        return answer.get("body", {})

    def attach(self) -> dict:
        """Attaches, and waits for the first stop; its frames, the innermost first."""
        self.ask("initialize", adapterID="debugpy", pathFormat="path", linesStartAt1=True)
        self.send("attach", justMyCode=True, pathMappings=[{"localRoot": "/work", "remoteRoot": "/app"}])
        self.wait(event="initialized")
        self.ask("configurationDone")
        thread = self.wait(event="stopped")["body"]["threadId"]
        frames = self.ask("stackTrace", threadId=thread)["stackFrames"]
        return {"thread": thread, "frames": frames}


class Inspector:
    """As much of the DevTools protocol as a debugger speaks."""

    def __init__(self, url: str):
        self.socket = websocket.create_connection(url, suppress_origin=True, timeout=60)
        self.count = 0
        self.waiting: list[dict] = []

    def ask(self, method: str, **params) -> dict:
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        answer = self.wait(lambda message: message.get("id") == self.count)
        assert "result" in answer, answer
        return answer["result"]

    def wait(self, fits) -> dict:
        for index, message in enumerate(self.waiting):
            if fits(message):
                return self.waiting.pop(index)
        while not fits(message := json.loads(self.socket.recv())):
            self.waiting.append(message)
        return message

    def paused(self) -> dict:
        """The innermost frame of the next stop."""
        return self.wait(lambda message: message.get("method") == "Debugger.paused")["params"]["callFrames"][0]


@pytest.fixture(scope="module")
def run_id(client: kfp.Client) -> str:
    run = client.create_run_from_pipeline_func(debugged, enable_caching=False)
    eventually(lambda: client.get_run(run.run_id).state == "FAILED", timeout=180)
    return run.run_id


def gone(cluster: Kubectl, pod: str) -> None:
    eventually(lambda: cluster.run(f"get pod {pod} -n kubeflow").returncode == 1)


def test_a_python_function_is_stopped_in_looked_into_and_goes_on(debug, run_id: str, cluster: Kubectl):
    tasks = cluster.get(f"pods -n kubeflow -l pipeline/runid={run_id}")["items"]
    with debug(run_id, "count", "--port", "0") as session:
        pod = session.said(POD)[1]
        dap = Dap(session.port())
        at = dap.attach()
        frame = at["frames"][0]
        assert frame["name"] == "count"
        assert dap.ask("evaluate", expression="open(data.path).read()", frameId=frame["id"])["result"] == "'hello'"
        source = dap.ask("source", source=frame["source"], sourceReference=frame["source"]["sourceReference"])["content"]
        assert "with open(data.path) as file" in source.splitlines()[frame["line"] - 1]
        labels = cluster.get(f"pod {pod} -n kubeflow")["metadata"]["labels"]
        assert "pipelines.sluice.dev/debug" in labels and "pipeline/runid" not in labels
        # The step failed because of this; the debugger lets it succeed.
        dap.ask("setVariable", variablesReference=dap.ask("scopes", frameId=frame["id"])["scopes"][0]["variablesReference"], name="wanted", value="5")
        dap.ask("continue", threadId=at["thread"])
        assert session.ends() == 0, session.errors.read_text()
    gone(cluster, pod)
    assert cluster.get(f"pods -n kubeflow -l pipeline/runid={run_id}")["items"] == tasks


def test_any_python_program_stops_where_it_begins(debug, run_id: str):
    with debug(run_id, "script", "--port", "0") as session:
        dap = Dap(session.port())
        at = dap.attach()
        dap.ask("next", threadId=at["thread"])
        frame = dap.ask("stackTrace", threadId=dap.wait(event="stopped")["body"]["threadId"])["stackFrames"][0]
        assert frame["line"] == 2
        assert dap.ask("evaluate", expression="sys.argv", frameId=frame["id"])["result"] == "['-c', 'hello']"
        dap.ask("continue", threadId=at["thread"])
        assert session.ends() == 5
        assert "got hello" in session.output.read_text()


def test_a_typescript_function_is_stopped_in(debug, client: kfp.Client, url: str, tmp_path: Path, cluster: Kubectl):
    (tmp_path / "node_modules").symlink_to(Path(__file__).parents[1] / "node_modules")
    pipeline = tmp_path / "pipeline.ts"
    pipeline.write_text(
        """import { component, number, pipeline } from "@sluice/sdk";
const add = component({
  name: "add",
  inputs: { a: number(), b: number() },
  outputs: { sum: number() },
  run: ({ inputs: { a, b } }) => {
    const sum = a + b;
    return { sum };
  },
});
export default pipeline({ name: "adding", inputs: {} }, () => {
  add({ a: 1, b: 2 });
});
"""
    )
    submitted = subprocess.run([*SLUICE, "run", "submit", str(pipeline), "--watch", "--host", url], capture_output=True, text=True)
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    # Other tests submit runs meanwhile, so that the latest may be one of theirs.
    run = re.search(r"\(([0-9a-f-]{36})\)", submitted.stdout)[1]
    with debug(run, "add", "--port", "0") as session:
        pod = session.said(POD)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{session.port()}/json/list") as response:
            [target] = json.load(response)
        inspector = Inspector(target["webSocketDebuggerUrl"])
        inspector.ask("Runtime.enable")
        inspector.ask("Debugger.enable")
        inspector.ask("Runtime.runIfWaitingForDebugger")
        frame = inspector.paused()
        source = inspector.ask("Debugger.getScriptSource", scriptId=frame["location"]["scriptId"])["scriptSource"]
        assert "const sum = a + b;" in source
        assert frame["functionName"] == "run"
        answer = inspector.ask("Debugger.evaluateOnCallFrame", callFrameId=frame["callFrameId"], expression="[a, b]", returnByValue=True)
        assert answer["result"]["value"] == [1, 2]
        inspector.ask("Debugger.resume")
        # An inspected Node waits for its debugger to leave.
        inspector.wait(lambda message: message.get("method") == "Runtime.executionContextDestroyed")
        inspector.socket.close()
        assert session.ends() == 0, session.errors.read_text()
    gone(cluster, pod)


def test_a_shell_stands_in_for_any_step(debug, run_id: str, cluster: Kubectl):
    with debug(run_id, "shout", "--shell", stdin=subprocess.PIPE) as session:
        pod = session.said(POD)[1]
        session.process.stdin.write("/tmp/run-step; echo ended with $?; exit 7\n")
        session.process.stdin.close()
        assert session.ends() == 7, session.errors.read_text()
        assert session.output.read_text() == "it's $HOME\nended with 3\n"
        assert """sh -c 'echo $0; exit 3' 'it'\\''s $HOME'""" in session.errors.read_text()
    gone(cluster, pod)


def test_an_interrupted_session_leaves_nothing(debug, run_id: str, cluster: Kubectl):
    with debug(run_id, "count", "--port", "0") as session:
        pod = session.said(POD)[1]
        session.port()
        session.process.send_signal(signal.SIGINT)
        assert session.ends() == 1
        assert "interrupted" in session.errors.read_text()
    gone(cluster, pod)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("none", 'has no task "none": it has '),
        ("shout", 'there is no debugger for "sh", which it runs'),
        ("loop", "contains tasks and runs no code itself"),
    ],
)
def test_what_cannot_be_debugged_says_why(debug, run_id: str, task: str, message: str):
    with debug(run_id, task) as session:
        assert session.ends() == 1
        assert message in session.errors.read_text()


def test_of_a_cached_step_the_one_that_ran_is_debugged(debug, client: kfp.Client, url: str):
    @dsl.pipeline(name="twice")
    def twice():
        write(text=os.urandom(8).hex())

    made = client.create_run_from_pipeline_func(twice)
    eventually(lambda: client.get_run(made.run_id).state == "SUCCEEDED", timeout=60)
    second = client.create_run_from_pipeline_func(twice)
    eventually(lambda: client.get_run(second.run_id).state == "SUCCEEDED", timeout=60)
    with debug(second.run_id, "write", "--port", "0") as session:
        session.said(re.compile(rf"took its result from run .*{made.run_id}"))
        session.port()
