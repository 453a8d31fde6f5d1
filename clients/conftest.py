"""The running Sluice that every test talks to; `run.ts` starts it and says where it is."""

import os
import subprocess
import uuid

import kfp
import pytest


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True, timeout: int = 60) -> subprocess.CompletedProcess[str]:
    """Runs the real kubectl against the running Sluice."""
    command = [os.environ.get("KUBECTL", "kubectl"), *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)} exited with {result.returncode}\n{result.stdout}{result.stderr}")
    return result


@pytest.fixture(scope="session")
def url() -> str:
    return os.environ["SLUICE_URL"]


@pytest.fixture(scope="session")
def client(url: str) -> kfp.Client:
    return kfp.Client(host=url)


@pytest.fixture
def namespace():
    """A namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=20s")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
