"""What the OpenAPI document says, against what the server answers to real requests."""

import json
import re
import time
import urllib.error
import urllib.request

import pytest

SPEC = {
    "pipelineInfo": {"name": "openapi"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.15.2",
    "deploymentSpec": {"executors": {"exec-say": {"container": {"image": "alpine", "command": ["sh", "-c", "echo said"]}}}},
    "components": {"comp-say": {"executorLabel": "exec-say"}},
    "root": {"dag": {"tasks": {"say": {"taskInfo": {"name": "say"}, "componentRef": {"name": "comp-say"}}}}},
}


class Api:
    """Requests whose answers must be what the document says of their operation."""

    def __init__(self, url: str, base: str = "/apis/v2beta1"):
        self.url = url + base
        with urllib.request.urlopen(f"{self.url}/openapi.json") as response:
            self.document = json.load(response)
        self.used: set[str] = set()

    def __call__(self, operation: str, body: object = None, status: int = 200, query: str = "", data: bytes | None = None, **names: str) -> dict:
        method, path, described = self.operation(operation)
        for name, value in names.items():
            path = path.replace("{" + name + "}", value)
        assert "{" not in path, path
        headers = {"content-type": "application/json"}
        if data is not None:
            headers["content-type"] = "multipart/form-data; boundary=x"
        elif body is not None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}{query}", method=method.upper(), headers=headers, data=data)
        try:
            with urllib.request.urlopen(request) as response:
                answered, text, kind = response.status, response.read(), response.headers["content-type"]
        except urllib.error.HTTPError as refusal:
            answered, text, kind = refusal.code, refusal.read(), refusal.headers["content-type"]
        assert answered == status, (operation, answered, text)
        described = described["responses"]["200" if answered == 200 else "default"]["content"]
        if "application/json" not in described:
            return {"text": text.decode(), "kind": kind}
        answer = json.loads(text)
        self.check(answer, described["application/json"]["schema"], operation)
        self.used.add(operation)
        return answer

    def operation(self, wanted: str) -> tuple[str, str, dict]:
        for path, methods in self.document["paths"].items():
            for method, described in methods.items():
                if described["operationId"] == wanted:
                    return method, path, described
        raise AssertionError(f"no operation {wanted}")

    def check(self, value: object, schema: dict, at: str) -> None:
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        kind = schema.get("type")
        if kind is None:
            return
        types = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict}
        assert isinstance(value, types[kind]), (at, value, kind)
        if "enum" in schema:
            assert value in schema["enum"], (at, value)
        if "pattern" in schema:
            assert re.search(schema["pattern"], value), (at, value)
        if kind == "array":
            for item in value:
                self.check(item, schema["items"], f"{at}[]")
        if kind == "object":
            rest = schema.get("additionalProperties", True)
            for name, item in value.items():
                if name in schema.get("properties", {}):
                    self.check(item, schema["properties"][name], f"{at}.{name}")
                else:
                    assert rest is not False, (at, "is not described", name)
                    if isinstance(rest, dict):
                        self.check(item, rest, f"{at}.{name}")


@pytest.fixture(scope="module", params=["/apis/v2beta1", "/pipeline/apis/v2beta1"])
def api(url: str, request: pytest.FixtureRequest) -> Api:
    return Api(url, request.param)


def form(name: str, text: str) -> bytes:
    return f'--x\r\ncontent-disposition: form-data; name="uploadfile"; filename="{name}"\r\n\r\n{text}\r\n--x--\r\n'.encode()


def test_answers_are_what_the_document_says(api: Api, unique: str):
    assert api.document["servers"] == [{"url": api.url[api.url.index("/", 8) :]}]
    api("get_healthz")
    experiment = api("create_experiment", {"display_name": unique, "description": "d"})["experiment_id"]
    api("get_experiment", experiment_id=experiment)
    api("list_experiments", query="?page_size=1&sort_by=created_at%20desc")
    pipeline = api("upload_pipeline", query=f"?name={unique}&tags=%7B%22a%22%3A%22b%22%7D", data=form("p.yaml", json.dumps(SPEC)))["pipeline_id"]
    api("upload_pipeline_version", query=f"?name=v2&pipelineid={pipeline}", data=form("p.yaml", json.dumps(SPEC)))
    api("get_pipeline", pipeline_id=pipeline)
    api("get_pipeline_by_name", name=unique)
    api("update_pipeline", {"display_name": "P"}, pipeline_id=pipeline)
    api("list_pipelines")
    versions = api("list_pipeline_versions", pipeline_id=pipeline)["pipeline_versions"]
    assert len(versions) == 2
    version = versions[0]["pipeline_version_id"]
    api("get_pipeline_version", pipeline_id=pipeline, pipeline_version_id=version)
    api("update_pipeline_version", {"tags": {"x": "y"}}, pipeline_id=pipeline, pipeline_version_id=version)
    run = api("create_run", {"display_name": unique, "experiment_id": experiment, "pipeline_version_reference": {"pipeline_id": pipeline}})["run_id"]
    while api("get_run", run_id=run)["state"] not in ("SUCCEEDED", "FAILED"):
        time.sleep(0.1)
    assert api("get_run", query="?view=FULL", run_id=run)["task_count"] == 2
    api("list_runs", query=f"?experiment_id={experiment}&view=FULL")
    tasks = {task["name"]: task for task in api("list_tasks", run_id=run)["tasks"]}
    assert tasks["say"]["state"] == "SUCCEEDED"
    say = tasks["say"]["task_id"]
    api("get_task", run_id=run, task_id=say)
    assert api("read_log", run_id=run, node_id=say)["text"] == "said\n"
    [log] = [item for item in api("list_artifact_tasks", query=f"?task_ids={say}")["artifact_tasks"] if item["key"] == "executor-logs"]
    api("get_artifact", artifact_id=log["artifact_id"])
    api("list_artifact_files", artifact_id=log["artifact_id"])
    assert api("download_artifact", artifact_id=log["artifact_id"])["text"] == "said\n"
    api("read_artifact", run_id=run, node_id=say, artifact_name="executor-logs")
    api("list_artifacts", query="?page_size=3")
    mine = api("create_task", {"name": "mine", "type": "RUNTIME"}, run_id=run)["task_id"]
    api("update_task", {"state": "SUCCEEDED"}, run_id=run, task_id=mine)
    api("batch_update_tasks", {"tasks": {mine: {"display_name": "Mine"}}}, run_id=run)
    given = {"run_id": run, "task_id": mine, "producer_key": "m", "artifact": {"name": "m", "type": "Metric", "number_value": 0.5}}
    artifact = api("create_artifact", given)["artifact_id"]
    api("batch_create_artifacts", {"artifacts": [given]})
    link = {"artifact_id": artifact, "run_id": run, "task_id": mine, "type": "RUNTIME_VALUE_INPUT", "producer": {}, "key": "in"}
    api("create_artifact_task", {"artifact_task": link})
    api("batch_create_artifact_tasks", {"artifact_tasks": [{**link, "key": "again"}]})
    api("find_cached_task", {"cache_fingerprint": "none"})
    for operation in ("archive_run", "unarchive_run"):
        api(operation, run_id=run)
    for operation in ("archive_experiment", "unarchive_experiment"):
        api(operation, experiment_id=experiment)
    api("authorize", query="?namespace=kubeflow&resources=VIEWERS&verb=GET")
    api("get_filter")
    api("delete_run", run_id=run)
    api("delete_pipeline_version", pipeline_id=pipeline, pipeline_version_id=version)
    api("delete_pipeline", query="?cascade=true", pipeline_id=pipeline)
    api("delete_experiment", experiment_id=experiment)


def test_refusals_are_what_the_document_says(api: Api, unique: str):
    api("get_run", status=404, run_id="none")
    api("terminate_run", status=404, run_id="none")
    api("retry_run", status=404, run_id="none")
    api("create_run", {"display_name": unique, "nope": 1}, status=400)
    api("create_pipeline", {}, status=400)
    api("create_pipeline_and_version", {}, status=400)
    api("create_pipeline_version", {}, status=404, pipeline_id="none")
    api("upload_pipeline", status=400, data=form("p.yaml", "a: ["))
    api("read_log", status=404, run_id="none", node_id="none")
    api("download_artifact", status=404, artifact_id="none")
    api("report_workflow", "{}", status=400)
    api("report_scheduled_workflow", "{}", status=400)
    api("create_visualization", {"type": "TABLE"}, status=400, namespace="kubeflow")


def test_metrics_are_for_prometheus(url: str):
    with urllib.request.urlopen(f"{url}/metrics") as response:
        text = response.read().decode()
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)*\})? [0-9.e+-]+', line) for line in samples), samples
    assert 'sluice_pipelines_request_seconds_count{operation="get_healthz"' in text
