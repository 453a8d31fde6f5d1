"""The real kfp SDK against a running Sluice."""

import urllib.request
import uuid

import kfp
import kfp_server_api
import pytest
from kfp import compiler, dsl


@dsl.component
def make(text: str, numbers: dsl.Output[dsl.Dataset]) -> int:
    with open(numbers.path, "w") as file:
        file.write(text)
    numbers.metadata["words"] = len(text.split())
    return len(text)


@dsl.component
def read(length: int, numbers: dsl.Input[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]) -> str:
    with open(numbers.path) as file:
        text = file.read()
    assert len(text) == length, (text, length)
    assert numbers.metadata["words"] == len(text.split()), numbers.metadata
    metrics.log_metric("length", float(length))
    print("the text was:", text)
    return text.upper()


@dsl.pipeline(name="pass-things-on")
def pass_things_on(text: str = "one two three four"):
    made = make(text=text)
    read(length=made.outputs["Output"], numbers=made.outputs["numbers"])


@dsl.component
def fail(reason: str):
    print("about to fail")
    raise ValueError(reason)


@dsl.component
def square(x: int) -> int:
    return x * x


@dsl.component
def total(xs: list) -> int:
    return sum(xs)


@dsl.component
def say(text: str):
    print(text)


@dsl.component
def flip(side: str) -> str:
    return side


@dsl.component
def report(status: dsl.PipelineTaskFinalStatus):
    print("ended as", status.state)


def tasks_of(url: str, run_id: str) -> list[dict]:
    import json

    with urllib.request.urlopen(f"{url}/apis/v2beta1/runs/{run_id}?view=FULL") as response:
        return json.load(response)["tasks"]


def log_of(url: str, run_id: str, task: dict) -> str:
    with urllib.request.urlopen(f"{url}/apis/v1alpha1/runs/{run_id}/nodes/{task['task_id']}/log") as response:
        return response.read().decode()


def named(tasks: list[dict], name: str) -> dict:
    return next(task for task in tasks if task["name"] == name)


def test_run_passes_parameters_and_artifacts(client, url):
    awkward = 'quotes " and $HOME {{braces}}\nnewline'
    run = client.create_run_from_pipeline_func(pass_things_on, arguments={"text": awkward})
    done = client.wait_for_run_completion(run.run_id, timeout=300)
    assert done.state == "SUCCEEDED"
    assert run.run_id in [r.run_id for r in client.list_runs(page_size=100).runs]
    assert "the text was" in log_of(url, run.run_id, named(tasks_of(url, run.run_id), "read"))


def test_second_run_is_cached(client, url):
    for _ in range(2):
        run = client.create_run_from_pipeline_func(pass_things_on, arguments={"text": "only ever run here"})
        assert client.wait_for_run_completion(run.run_id, timeout=300).state == "SUCCEEDED"
    assert named(tasks_of(url, run.run_id), "read")["state"] == "CACHED"


def test_failing_component(client, url):
    @dsl.pipeline(name="fails")
    def fails():
        fail(reason="the reason")

    run = client.create_run_from_pipeline_func(fails)
    done = client.wait_for_run_completion(run.run_id, timeout=300)
    assert done.state == "FAILED"
    task = named(tasks_of(url, run.run_id), "fail")
    assert "ValueError: the reason" in log_of(url, run.run_id, task)
    assert "the reason" in str(task.get("status_metadata", task))
    assert "fail" in str(done.error)


def test_control_flow(client, url):
    @dsl.pipeline(name="control-flow")
    def control_flow(side: str = "heads"):
        with dsl.ExitHandler(report()):
            with dsl.ParallelFor([1, 2, 3]) as x:
                squared = square(x=x)
            sum_task = total(xs=dsl.Collected(squared.output))
            flipped = flip(side=side)
            with dsl.If(flipped.output == "heads"):
                say(text=f"total {sum_task.output}")
            with dsl.Else():
                say(text="tails")

    run = client.create_run_from_pipeline_func(control_flow)
    assert client.wait_for_run_completion(run.run_id, timeout=300).state == "SUCCEEDED"
    tasks = tasks_of(url, run.run_id)
    assert "total 14" in "".join(log_of(url, run.run_id, t) for t in tasks if t["name"].startswith("say") and t["state"] == "SUCCEEDED")
    assert "ended as" in log_of(url, run.run_id, named(tasks, "report"))


def test_container_component(client, url):
    @dsl.container_component
    def shout(text: str, result: dsl.OutputPath(str)):
        return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'mkdir -p "$(dirname "$1")"; printf %s "$0" | tr a-z A-Z > "$1"'], args=[text, result])

    @dsl.pipeline(name="container")
    def container():
        say(text=shout(text="loud").outputs["result"])

    run = client.create_run_from_pipeline_func(container)
    assert client.wait_for_run_completion(run.run_id, timeout=300).state == "SUCCEEDED"
    assert "LOUD" in log_of(url, run.run_id, named(tasks_of(url, run.run_id), "say"))


def test_container_writes_where_it_is_told(client, url):
    @dsl.container_component
    def greet(greeting: dsl.Output[dsl.Artifact]):
        return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'echo hello > "$0"'], args=[greeting.path])

    @dsl.container_component
    def show(greeting: dsl.Input[dsl.Artifact]):
        return dsl.ContainerSpec(image="alpine", command=["cat"], args=[greeting.path])

    @dsl.pipeline(name="plain-files")
    def plain_files():
        show(greeting=greet().outputs["greeting"])

    run = client.create_run_from_pipeline_func(plain_files)
    assert client.wait_for_run_completion(run.run_id, timeout=60).state == "SUCCEEDED"
    assert "hello" in log_of(url, run.run_id, named(tasks_of(url, run.run_id), "show"))


def test_packages_to_install(client):
    @dsl.component(packages_to_install=["six==1.16.0"])
    def uses_six() -> str:
        import six

        return six.__version__

    @dsl.pipeline(name="packages")
    def packages():
        uses_six()

    run = client.create_run_from_pipeline_func(packages)
    assert client.wait_for_run_completion(run.run_id, timeout=300).state == "SUCCEEDED"


def test_pipelines_versions_experiments(client, tmp_path):
    name = f"uploaded-{uuid.uuid4().hex[:6]}"
    package = str(tmp_path / "pipeline.yaml")
    compiler.Compiler().compile(pass_things_on, package)
    uploaded = client.upload_pipeline(package, pipeline_name=name)
    assert client.get_pipeline_id(name) == uploaded.pipeline_id
    version = client.upload_pipeline_version(package, pipeline_version_name="second", pipeline_id=uploaded.pipeline_id)
    versions = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions
    assert version.pipeline_version_id in [v.pipeline_version_id for v in versions] and len(versions) == 2
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.upload_pipeline(package, pipeline_name=name)
    assert refused.value.status == 409
    experiment = client.create_experiment(f"exp-{name}")
    run = client.run_pipeline(experiment.experiment_id, "from a version", pipeline_id=uploaded.pipeline_id, version_id=version.pipeline_version_id)
    assert client.wait_for_run_completion(run.run_id, timeout=300).state == "SUCCEEDED"
    assert [r.run_id for r in client.list_runs(experiment_id=experiment.experiment_id).runs] == [run.run_id]
    client.archive_run(run.run_id)
    assert client.get_run(run.run_id).storage_state == "ARCHIVED"
    client.delete_run(run.run_id)
    with pytest.raises(kfp_server_api.ApiException) as gone:
        client.get_run(run.run_id)
    assert gone.value.status == 404
    client.delete_pipeline_version(uploaded.pipeline_id, version.pipeline_version_id)


def test_terminate_and_retry(client):
    @dsl.component
    def wait():
        import time

        time.sleep(300)

    @dsl.pipeline(name="waits")
    def waits():
        wait()

    run = client.create_run_from_pipeline_func(waits, enable_caching=False)
    client.terminate_run(run.run_id)

    def state() -> str:
        return client.get_run(run.run_id).state

    import time

    deadline = time.monotonic() + 60
    while state() not in ("CANCELED", "FAILED") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert state() == "CANCELED"


def test_bad_requests_name_the_field(client):
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.runs.run_service_create_run(run=kfp_server_api.V2beta1Run(display_name="bad", pipeline_spec={"nonsense": True}))
    assert refused.value.status == 400 and "nonsense" in refused.value.body
