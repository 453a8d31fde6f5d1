"""What becomes of runs and their results, asked by the real kfp SDK and, where it has no call, over REST."""

import json
import subprocess
import urllib.request
import uuid
from pathlib import Path

import kfp
import kfp_server_api
import pytest
from conftest import eventually
from kfp import dsl

SLUICE = Path(__file__).parents[1] / "packages/cli/bin/sluice.js"


@dsl.component
def make(text: str, data: dsl.Output[dsl.Dataset]) -> int:
    with open(data.path, "w") as file:
        file.write(text)
    return len(text)


@dsl.component
def check(length: int, limit: int):
    assert length <= limit, f"{length} is more than {limit}"


@dsl.pipeline(name="lifecycle")
def lifecycle(text: str, limit: int = 100):
    check(length=make(text=text).outputs["Output"], limit=limit)


def api(url: str, method: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/apis/v2beta1{path}", data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def states(url: str, run_id: str) -> dict[str, str]:
    return {task["name"]: task["state"] for task in api(url, "GET", f"/runs/{run_id}?view=FULL")["tasks"]}


def why(url: str, run_id: str, task: str) -> dict:
    return api(url, "GET", f"/runs/{run_id}/tasks/{task}:why")["reasons"][0]


def stored(url: str, run_id: str) -> list[str]:
    """The ids of the artifacts that a run made, beside its logs, and that can still be read."""
    newest = api(url, "GET", "/artifacts?page_size=200&sort_by=created_at%20desc").get("artifacts", [])
    mine = [one for one in newest if run_id in one["uri"] and not one["name"].startswith("executor-logs")]
    for one in mine:
        with urllib.request.urlopen(f"{url}/apis/v2beta1/artifacts/{one['artifact_id']}:download") as response:
            response.read()
    return [one["artifact_id"] for one in mine]


@pytest.fixture
def text() -> str:
    """Something that no cache knows."""
    return uuid.uuid4().hex


def ended(client: kfp.Client, run_id: str) -> str:
    """The state in which a run ends; the client's own way to wait asks every five seconds only."""
    return eventually(lambda: (state := client.get_run(run_id).state) in ("SUCCEEDED", "FAILED") and state, timeout=60)


def run(client: kfp.Client, text: str, state: str = "SUCCEEDED", caching: bool | None = None, **arguments) -> str:
    made = client.create_run_from_pipeline_func(lifecycle, arguments={"text": text, **arguments}, enable_caching=caching)
    assert ended(client, made.run_id) == state
    return made.run_id


def test_caching_is_on_unless_it_is_off(client: kfp.Client, url: str, text: str):
    first = run(client, text)
    again = run(client, text)
    assert states(url, again)["make"] == "CACHED"
    assert why(url, again, "make")["result"]["run_id"] == first
    off = run(client, text, caching=False)
    assert states(url, off)["make"] == "SUCCEEDED"
    reason = why(url, off, "make")
    assert (reason["type"], reason["because"]) == ("uncached", "pipeline")


def test_a_task_names_the_input_that_changed(client: kfp.Client, url: str, text: str):
    run(client, text)
    other = run(client, text + "!")
    reason = why(url, other, "make")
    assert [one["part"] for one in reason["differences"]] == ["parameter text"]
    assert "input text changed from" in reason["message"]


def test_a_cache_key_stands_for_everything(client: kfp.Client, url: str, text: str):
    key = f"k-{text}"

    @dsl.pipeline(name="keyed")
    def keyed(text: str):
        make(text=text).set_caching_options(True, cache_key=key)

    first = client.create_run_from_pipeline_func(keyed, arguments={"text": "a"})
    assert ended(client, first.run_id) == "SUCCEEDED"
    second = client.create_run_from_pipeline_func(keyed, arguments={"text": "b"})
    assert ended(client, second.run_id) == "SUCCEEDED"
    assert states(url, second.run_id)["make"] == "CACHED"


def test_what_is_invalidated_is_made_anew(client: kfp.Client, url: str, text: str):
    first = run(client, text)
    assert api(url, "POST", "/cache:invalidate", {"run_id": first, "task_id": "make"}) == {"invalidated": 1}
    again = run(client, text)
    assert why(url, again, "make")["type"] == "invalidated"
    assert states(url, run(client, text))["make"] == "CACHED"


def test_a_failed_run_is_retried_keeping_what_succeeded(client: kfp.Client, url: str, text: str):
    failed = run(client, text, "FAILED", limit=3)
    made = api(url, "GET", f"/runs/{failed}/tasks")["tasks"]
    api(url, "POST", f"/runs/{failed}:retry")
    assert ended(client, failed) == "FAILED"
    assert why(url, failed, "check")["type"] == "failed"
    pods = {task["name"]: task.get("pods") for task in api(url, "GET", f"/runs/{failed}/tasks")["tasks"]}
    assert pods["make"] == next(task.get("pods") for task in made if task["name"] == "make")


def test_a_failed_run_goes_on_as_edited_code(client: kfp.Client, url: str, text: str, tmp_path: Path):
    failed = run(client, text, "FAILED", limit=3)
    edited = tmp_path / "pipeline.yaml"
    kfp.compiler.Compiler().compile(lifecycle, str(edited))
    edited.write_text(edited.read_text().replace("assert length <= limit", "assert length > limit"))
    subprocess.run(["node", SLUICE, "run", "retry", failed, "--with", edited, "--host", url], check=True)
    eventually(lambda: client.get_run(failed).state == "SUCCEEDED", timeout=60)
    assert states(url, failed)["make"] == "SUCCEEDED"


def test_a_clone_is_the_same_but_for_what_is_said(client: kfp.Client, url: str, text: str):
    first = run(client, text)
    clone = api(url, "POST", f"/runs/{first}:clone", {"parameters": {"limit": 99}})["run_id"]
    assert ended(client, clone) == "SUCCEEDED"
    assert client.get_run(clone).runtime_config.parameters == {"text": text, "limit": 99.0}
    assert states(url, clone)["make"] == "CACHED"


def test_a_deleted_run_takes_its_artifacts_but_not_those_that_others_share(client: kfp.Client, url: str, text: str):
    first = run(client, text)
    assert len(stored(url, first)) == 1
    sharer = run(client, text)
    client.delete_run(first)
    with pytest.raises(kfp_server_api.ApiException):
        client.get_run(first)
    assert states(url, run(client, text))["make"] == "CACHED"
    newest = api(url, "GET", "/runs?page_size=200&sort_by=created_at%20desc")["runs"]
    mine = [one["run_id"] for one in newest if one.get("runtime_config", {}).get("parameters", {}).get("text") == text]
    assert sharer in mine
    for each in mine:
        client.delete_run(each)
    eventually(lambda: stored(url, first) == [])
    assert states(url, run(client, text))["make"] == "SUCCEEDED"


def test_an_archived_run_comes_back(client: kfp.Client, text: str):
    first = run(client, text)
    client.archive_run(first)
    assert client.get_run(first).storage_state == "ARCHIVED"
    client.unarchive_run(first)
    assert client.get_run(first).storage_state == "AVAILABLE"
