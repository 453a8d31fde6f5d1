"""Artifacts of real kfp pipelines in other stores than the embedded one: S3 (moto), Google Cloud Storage (an emulator), the web and directories."""

import functools
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator

import boto3
import kfp
import pytest
from conftest import Kubectl, eventually
from kfp import dsl
from own_sluice import OwnSluice


@dsl.component
def make(text: str, data: dsl.Output[dsl.Dataset], folder: dsl.Output[dsl.Artifact]):
    import os

    with open(data.path, "w") as file:
        file.write(text)
    os.makedirs(os.path.join(folder.path, "sub"))
    for name in ("a", "sub/b"):
        with open(os.path.join(folder.path, name), "w") as file:
            file.write(name)
    data.metadata["deep"] = {"list": [1, 2.5, True, None, "ü"]}


@dsl.component
def read(data: dsl.Input[dsl.Dataset], expected: str):
    with open(data.path) as file:
        assert file.read() == expected
    print("read", data.uri, data.metadata)


@dsl.component
def read_folder(folder: dsl.Input[dsl.Artifact]):
    import os

    for name in ("a", "sub/b"):
        with open(os.path.join(folder.path, name)) as file:
            assert file.read() == name


@dsl.pipeline(name="carry")
def carry(text: str, expected: str):
    made = make(text=text)
    read(data=made.outputs["data"], expected=expected)
    read_folder(folder=made.outputs["folder"])


@dsl.pipeline(name="bring")
def bring(uri: str, expected: str):
    imported = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=True)
    read(data=imported.output, expected=expected)


@dsl.component
def look(model: dsl.Input[dsl.Model]):
    print(model.path)



def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Sluice:
    """A Sluice of these tests' own, which may read the web of this machine and two of its directories."""

    def __init__(self, directory: pathlib.Path):
        self.own = OwnSluice(directory / "data")
        self.shared = directory / "shared"
        self.shared.mkdir()
        self.own.directory.mkdir()
        artifacts = {"privateHosts": ["127.0.0.1"], "directories": [{"path": str(self.shared)}]}
        (self.own.directory / "sluice.yaml").write_text(json.dumps({"artifacts": artifacts}))
        self.own.up()
        self.url = json.loads((self.own.directory / "running.json").read_text())["url"]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> None:
        command = [*Kubectl().argv(""), "--kubeconfig", self.own.kubeconfig, *arguments]
        subprocess.run(command, input=stdin, text=True, check=True, capture_output=True, timeout=60)

    def namespace(self) -> str:
        name = f"stores-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        return name

    def configure(self, namespace: str, **data: str) -> None:
        """The namespace's `kfp-launcher`, and the secret that it names unless it names another."""
        keys = {"accesskey": "AKIATEST", "secretkey": "secret"}
        for kind, name, content in (("ConfigMap", "kfp-launcher", {"data": data}), ("Secret", "mlpipeline-minio-artifact", {"stringData": keys})):
            document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}
            self.kubectl("apply", "-f", "-", stdin=json.dumps(document))

    def run(self, pipeline, namespace: str, arguments: dict, **options) -> tuple[str, list[dict]]:
        """How a run ends, and its tasks."""
        client = kfp.Client(host=self.url, namespace=namespace)
        run = client.create_run_from_pipeline_func(pipeline, arguments=arguments, namespace=namespace, experiment_name="e", **options)
        state = client.wait_for_run_completion(run.run_id, timeout=120, sleep_duration=0.2).state
        return state, self.get(f"/apis/v2beta1/runs/{run.run_id}?view=FULL")["tasks"]

    def get(self, path: str) -> dict:
        return json.loads(self.bytes(path))

    def bytes(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}") as response:
            return response.read()


def artifact_of(tasks: list[dict], task: str, key: str) -> dict:
    [found] = [task_ for task_ in tasks if task_["name"] == task]
    [artifacts] = [each["artifacts"] for each in found["outputs"]["artifacts"] if each["artifact_key"] == key]
    return artifacts[0]


def message_of(tasks: list[dict]) -> str:
    return "\n".join(task.get("status_metadata", {}).get("message", "") for task in tasks)


@pytest.fixture(scope="module")
def sluice(tmp_path_factory) -> Iterator[Sluice]:
    sluice = Sluice(tmp_path_factory.mktemp("sluice"))
    yield sluice
    sluice.own.down()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The `host:port` of an S3 with the bucket `bucket`."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: answers(port))
            bucket(f"127.0.0.1:{port}").create()
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def bucket(s3: str):
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    return boto3.resource("s3", endpoint_url=f"http://{s3}", **keys).Bucket("bucket")


@pytest.fixture(scope="module")
def gcs() -> Iterator[str]:
    """The URL of a Google Cloud Storage with the bucket `bucket`."""
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory", "--default-bucket", "bucket"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: answers(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def providers(s3: str) -> str:
    return json.dumps({"s3": {"default": {"endpoint": s3, "disableSSL": True, "maxRetries": 1}}})


def test_the_config_map_of_a_namespace_says_where_its_artifacts_go(sluice: Sluice, s3: str):
    namespace = sluice.namespace()
    sluice.configure(namespace, defaultPipelineRoot="s3://bucket/root", providers=providers(s3))
    state, tasks = sluice.run(carry, namespace, {"text": "hello", "expected": "hello"})
    assert state == "SUCCEEDED", message_of(tasks)
    data = artifact_of(tasks, "make", "data")
    assert data["uri"].startswith("s3://bucket/root/carry/")
    assert data["metadata"]["deep"] == {"list": [1, 2.5, True, None, "ü"]}
    key = data["uri"].removeprefix("s3://bucket/")
    assert bucket(s3).Object(key).get()["Body"].read() == b"hello"
    assert sluice.bytes(f"/apis/v2beta1/artifacts/{data['artifact_id']}:download") == b"hello"
    folder = artifact_of(tasks, "make", "folder")
    files = sluice.get(f"/apis/v2beta1/artifacts/{folder['artifact_id']}:files")["files"]
    assert files == [{"path": "a", "size": "1"}, {"path": "sub/b", "size": "5"}]


def test_a_run_may_say_so_itself(sluice: Sluice, s3: str):
    namespace = sluice.namespace()
    sluice.configure(namespace)
    root = f"s3://bucket/own?endpoint={s3}&region=us-east-1&disableSSL=true"
    state, tasks = sluice.run(carry, namespace, {"text": "mine", "expected": "mine"}, pipeline_root=root)
    assert state == "SUCCEEDED", message_of(tasks)
    data = artifact_of(tasks, "make", "data")
    assert data["uri"].startswith("s3://bucket/own/carry/")
    assert sluice.bytes(f"/apis/v2beta1/artifacts/{data['artifact_id']}:download") == b"mine"


def test_bytes_that_somebody_changed_fail_the_task_that_would_use_them(sluice: Sluice, s3: str):
    namespace = sluice.namespace()
    sluice.configure(namespace, defaultPipelineRoot="s3://bucket/changed", providers=providers(s3))
    _, tasks = sluice.run(carry, namespace, {"text": "hello", "expected": "hello"})
    uri = artifact_of(tasks, "make", "data")["uri"]
    bucket(s3).Object(uri.removeprefix("s3://bucket/")).put(Body=b"other")
    state, tasks = sluice.run(carry, namespace, {"text": "hello", "expected": "other"})
    assert state == "FAILED"
    assert f"the content of {uri} is not what its task stored" in message_of(tasks)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"s3": {"default": {"endpoint": "127.0.0.1:1", "disableSSL": True, "maxRetries": 0}}}, "in the store at 127.0.0.1:1: it cannot be reached"),
        ({"s3": {"default": {"endpoint": "localhost:1", "disableSSL": True}}}, 'add "localhost:1" to artifacts.privateHosts'),
        ({"s3": {"default": {"endpoint": "169.254.169.254", "disableSSL": True}}}, "has the address 169.254.169.254, which is not of the public internet"),
        ({"s3": {"default": {"credentials": {"secretRef": {"secretName": "none"}}}}}, "there is no Secret"),
        ({"s3": {"default": {"credentials": {"fromEnv": True}}}}, "artifacts.environmentCredentials"),
        ({"s3": {"defalt": {}}}, 'did you mean "default"?'),
    ],
)
def test_a_wrong_configuration_fails_the_task_and_says_why(sluice: Sluice, config: dict, message: str):
    namespace = sluice.namespace()
    sluice.configure(namespace, defaultPipelineRoot="s3://bucket/x", providers=json.dumps(config))
    state, tasks = sluice.run(carry, namespace, {"text": "x", "expected": "x"})
    assert state == "FAILED"
    assert message in message_of(tasks)


def test_google_cloud_storage(sluice: Sluice, gcs: str):
    namespace = sluice.namespace()
    sluice.configure(namespace, defaultPipelineRoot="gs://bucket/root", providers=json.dumps({"gs": {"default": {"endpoint": gcs}}}))
    state, tasks = sluice.run(carry, namespace, {"text": "hello", "expected": "hello"})
    assert state == "SUCCEEDED", message_of(tasks)
    assert artifact_of(tasks, "make", "data")["uri"].startswith("gs://bucket/root/")


def test_files_of_the_web_are_imported(sluice: Sluice, tmp_path: pathlib.Path):
    (tmp_path / "data.csv").write_text("a,b")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        namespace = sluice.namespace()
        state, tasks = sluice.run(bring, namespace, {"uri": f"{base}/data.csv", "expected": "a,b"})
        assert state == "SUCCEEDED", message_of(tasks)
        server.shutdown()
    state, tasks = sluice.run(bring, namespace, {"uri": "http://localhost:1/data.csv", "expected": "a,b"})
    assert state == "FAILED"
    assert "is not of the public internet" in message_of(tasks)


def test_directories_that_are_open_are_read_and_written(sluice: Sluice):
    namespace = sluice.namespace()
    (sluice.shared / "in.txt").write_text("from here")
    state, tasks = sluice.run(bring, namespace, {"uri": f"file://{sluice.shared}/in.txt", "expected": "from here"})
    assert state == "SUCCEEDED", message_of(tasks)
    state, tasks = sluice.run(carry, namespace, {"text": "out", "expected": "out"}, pipeline_root=f"file://{sluice.shared}/runs")
    assert state == "SUCCEEDED", message_of(tasks)
    uri = artifact_of(tasks, "make", "data")["uri"]
    assert pathlib.Path(uri.removeprefix("file://")).read_text() == "out"
    state, tasks = sluice.run(bring, namespace, {"uri": "file:///etc/passwd", "expected": ""})
    assert state == "FAILED"
    assert "no directory of this machine that is open" in message_of(tasks)


def test_no_namespace_reads_the_artifacts_of_another(sluice: Sluice):
    one, other = sluice.namespace(), sluice.namespace()
    _, tasks = sluice.run(carry, one, {"text": "secret", "expected": "secret"})
    uri = artifact_of(tasks, "make", "data")["uri"]
    assert uri.startswith("minio://mlpipeline/v2/artifacts/")
    assert sluice.run(bring, one, {"uri": uri, "expected": "secret"})[0] == "SUCCEEDED"
    state, tasks = sluice.run(bring, other, {"uri": uri, "expected": "secret"})
    assert state == "FAILED"
    assert "FileNotFoundError" in message_of(tasks)


def test_an_artifact_knows_where_it_came_from(sluice: Sluice):
    namespace = sluice.namespace()
    _, tasks = sluice.run(carry, namespace, {"text": "x", "expected": "x"})
    data = artifact_of(tasks, "make", "data")
    down = sluice.get(f"/apis/v2beta1/artifacts/{data['artifact_id']}:lineage?direction=DOWNSTREAM")
    assert [task["name"] for task in down["tasks"]] == ["read"]
    up = sluice.get(f"/apis/v2beta1/artifacts/{data['artifact_id']}:lineage?direction=UPSTREAM")
    assert [task["name"] for task in up["tasks"]] == ["make"]
