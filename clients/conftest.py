"""The running Sluice that every test talks to; `run.ts` starts it and says where it is."""

import json
import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import kfp
import kfp_server_api
import pytest

T = TypeVar("T")


def eventually(probe: Callable[[], T], timeout: float = 30) -> T:
    """What `probe` returns as soon as that is true; probes again as long as it is not, or as its assertions fail."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if found := probe():
                return found
            problem: Exception = AssertionError(f"still {found!r} after {timeout} s")
        except AssertionError as error:
            problem = error
        if time.monotonic() > deadline:
            raise problem
        time.sleep(0.05)


class Kubectl:
    """The real kubectl, in one namespace; a command is written as on the command line."""

    def __init__(self, namespace: str | None = None):
        self.namespace = namespace

    def argv(self, command: str) -> list[str]:
        where = [] if self.namespace is None else ["-n", self.namespace]
        return [os.environ.get("KUBECTL", "kubectl"), *where, *shlex.split(command)]

    def run(self, command: str, stdin: str | None = None, timeout: float = 60, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        nothing = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(self.argv(command), capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})}, **nothing)

    def __call__(self, command: str, stdin: str | None = None, timeout: float = 60, env: dict[str, str] | None = None) -> str:
        """What a command that must succeed writes."""
        result = self.run(command, stdin, timeout, env)
        if result.returncode != 0:
            raise AssertionError(f"kubectl {command} exited with {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout

    def fails(self, command: str, stdin: str | None = None, code: int = 1) -> str:
        """What a command that must fail says."""
        result = self.run(command, stdin)
        assert result.returncode == code, f"kubectl {command} exited with {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout + result.stderr

    def get(self, what: str) -> dict:
        """An object, or a list."""
        return json.loads(self(f"get {what} -o json"))

    def names(self, what: str) -> list[str]:
        return self(f"get {what} -o name").split()

    @contextmanager
    def running(self, command: str, **options) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on until the block ends."""
        with subprocess.Popen(self.argv(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="session")
def url() -> str:
    return os.environ["SLUICE_URL"]


@pytest.fixture(scope="session")
def client(url: str) -> kfp.Client:
    client = kfp.Client(host=url)
    try:
        client.create_experiment("Default")
    except kfp_server_api.ApiException as problem:
        # The client looks before it creates; of workers that look at once all but one come too late.
        assert problem.status == 409
    return client


@pytest.fixture(scope="session")
def cluster() -> Kubectl:
    """kubectl outside of any test's namespace."""
    return Kubectl()


@pytest.fixture
def unique() -> str:
    """A name for what no namespace holds."""
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def kubectl(cluster: Kubectl, unique: str) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    cluster(f"create namespace {unique}")
    cluster(f"wait --for=create serviceaccount/default -n {unique} --timeout=20s")
    yield Kubectl(unique)
    cluster(f"delete namespace {unique} --wait=false")
