"""Pipelines, their versions and schedules as Kubernetes objects, in step with the REST API."""

import json
import os
import signal
import time
import urllib.request

import kfp
import kfp_server_api
import pytest
import yaml
from conftest import Kubectl
from kfp import compiler, dsl
from kfp.compiler.compiler_utils import KubernetesManifestOptions
from own_sluice import OwnSluice

SCHEDULE = """
apiVersion: kubeflow.org/v1beta1
kind: ScheduledWorkflow
metadata: {name: each-second}
spec:
  enabled: true
  maxConcurrency: 2
  trigger: {periodicSchedule: {intervalSecond: 1}}
  pipelineName: notes
  workflow: {parameters: [{name: text, value: '"run [[Index]]"'}]}
"""


class OwnKubectl(Kubectl):
    """kubectl with another cluster than the one of all tests."""

    def __init__(self, kubeconfig: str):
        super().__init__("kubeflow")
        self.kubeconfig = kubeconfig

    def argv(self, command: str) -> list[str]:
        return [*super().argv(command), f"--kubeconfig={self.kubeconfig}"]


@dsl.container_component
def note(text: str):
    return dsl.ContainerSpec(image="alpine", command=["echo"], args=[text])


@dsl.pipeline(name="notes", description="notes things")
def notes(text: str = "nothing"):
    note(text=text).set_caching_options(False)


@pytest.fixture
def manifests(tmp_path) -> str:
    path = str(tmp_path / "manifests.yaml")
    options = KubernetesManifestOptions(
        pipeline_name="notes",
        pipeline_display_name="Notes",
        pipeline_version_name="notes-v1",
        pipeline_version_display_name="Notes v1",
        include_pipeline_manifest=True,
    )
    compiler.Compiler().compile(notes, path, kubernetes_manifest_format=True, kubernetes_manifest_options=options)
    return path


@pytest.fixture
def package(tmp_path) -> str:
    path = str(tmp_path / "notes.yaml")
    compiler.Compiler().compile(notes, path)
    return path


def eventually(condition, timeout: float = 60):
    deadline = time.monotonic() + timeout
    while True:
        try:
            if result := condition():
                return result
        except (AssertionError, kfp_server_api.ApiException):
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def pipeline_of(client, namespace: str, name: str):
    return client.pipelines.pipeline_service_get_pipeline_by_name(name, namespace=namespace)


def is_gone(get) -> bool:
    try:
        get()
    except kfp_server_api.ApiException as problem:
        return problem.status == 404
    return False


def condition_of(kubectl, version: str) -> tuple[str, str]:
    [condition] = kubectl.get(f"pipelineversion {version}")["status"]["conditions"]
    return condition["reason"], condition["message"]


def test_compiled_manifests(client, kubectl, unique, manifests):
    kubectl(f"apply -f {manifests}")
    version = eventually(lambda: (v := kubectl.get("pipelineversion notes-v1")) and v.get("status") and v)
    pipeline = pipeline_of(client, unique, "notes")
    assert (pipeline.pipeline_id, pipeline.display_name) == (kubectl.get("pipeline notes")["metadata"]["uid"], "Notes")
    read = client.get_pipeline_version(pipeline.pipeline_id, version["metadata"]["uid"])
    assert (read.display_name, read.name, read.description) == ("Notes v1", "notes-v1", "notes things")
    assert version["metadata"]["labels"] == {
        "pipelines.kubeflow.org/pipeline-id": pipeline.pipeline_id,
        "pipelines.kubeflow.org/pipeline": "notes",
    }
    [owner] = version["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["blockOwnerDeletion"]) == ("Pipeline", pipeline.pipeline_id, True)
    assert version["status"]["conditions"] == [{"type": "PipelineVersionStatus", "status": "True", "reason": "READY", "message": "READY"}]
    assert "READY" in kubectl("get pipelineversions")
    experiment = client.create_experiment(f"e-{unique}", namespace=unique)
    run = client.run_pipeline(experiment.experiment_id, "from an object", pipeline_id=pipeline.pipeline_id, version_id=read.pipeline_version_id)
    assert client.wait_for_run_completion(run.run_id, timeout=60).state == "SUCCEEDED"

    refused = kubectl.fails(f"patch pipelineversion notes-v1 --type merge -p '{json.dumps({'spec': {'pipelineSpec': {'root': None}}})}'")
    assert "pipelineSpec is immutable" in refused
    kubectl("patch pipelineversion notes-v1 --type merge -p '{\"spec\":{\"displayName\":\"One\",\"tags\":{\"team\":\"a\"}}}'")
    eventually(lambda: client.get_pipeline_version(pipeline.pipeline_id, read.pipeline_version_id).display_name == "One")
    kubectl("patch pipeline notes --type merge -p '{\"spec\":{\"description\":\"better\"}}'")
    eventually(lambda: pipeline_of(client, unique, "notes").description == "better")

    kubectl("delete pipelineversion notes-v1")
    eventually(lambda: is_gone(lambda: client.get_pipeline_version(pipeline.pipeline_id, read.pipeline_version_id)))
    kubectl(f"apply -f {manifests}")
    eventually(lambda: len(client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions or []) == 1)
    kubectl("delete pipeline notes")
    eventually(lambda: is_gone(lambda: client.get_pipeline(pipeline.pipeline_id)))
    eventually(lambda: kubectl.names("pipelineversions") == [])


def test_a_version_waits_for_its_pipeline_and_says_what_is_wrong(client, kubectl, unique, manifests):
    with open(manifests) as file:
        pipeline, version = yaml.safe_load_all(file)
    kubectl("apply -f -", stdin=json.dumps(version))
    eventually(lambda: condition_of(kubectl, "notes-v1") == ("INVALID", 'spec.pipelineName: there is no Pipeline "notes"'))
    kubectl("apply -f -", stdin=json.dumps(pipeline))
    eventually(lambda: condition_of(kubectl, "notes-v1")[0] == "READY")
    version["metadata"]["name"] = "broken"
    version["spec"]["pipelineSpec"]["root"] = {"nonsense": True}
    kubectl("apply -f -", stdin=json.dumps(version))
    eventually(lambda: condition_of(kubectl, "broken")[0] == "INVALID" and "nonsense" in condition_of(kubectl, "broken")[1])
    assert "Refused" in kubectl("get events --field-selector involvedObject.name=broken")
    assert len(client.list_pipeline_versions(pipeline_of(client, unique, "notes").pipeline_id).pipeline_versions) == 1


def test_what_rest_makes_is_there_for_kubectl(client, kubectl, unique, package):
    uploaded = client.upload_pipeline(package, pipeline_name="My Notes", namespace=unique)
    name = eventually(lambda: kubectl.names(f"pipelines -l pipelines.kubeflow.org/pipeline-id={uploaded.pipeline_id}"))[0]
    assert kubectl.get(name)["spec"]["displayName"] == "My Notes"
    [version] = eventually(lambda: kubectl.get("pipelineversions")["items"])
    assert version["spec"]["pipelineSpec"]["pipelineInfo"]["name"] == "notes"
    second = client.upload_pipeline_version(package, pipeline_version_name="v2", pipeline_id=uploaded.pipeline_id)
    [object] = eventually(lambda: kubectl.get(f"pipelineversions -l pipelines.kubeflow.org/pipeline-version-id={second.pipeline_version_id}")["items"])
    client.pipelines.pipeline_service_update_pipeline(uploaded.pipeline_id, kfp_server_api.V2beta1Pipeline(display_name="Ours"))
    eventually(lambda: kubectl.get(name)["spec"]["displayName"] == "Ours")
    client.delete_pipeline_version(uploaded.pipeline_id, second.pipeline_version_id)
    eventually(lambda: f"pipelineversion.pipelines.kubeflow.org/{object['metadata']['name']}" not in kubectl.names("pipelineversions"))
    kubectl(f"delete {name}")
    eventually(lambda: is_gone(lambda: client.get_pipeline(uploaded.pipeline_id)))
    eventually(lambda: kubectl.names("pipelineversions") == [])


def test_a_schedule_from_an_object(client, kubectl, unique, manifests):
    kubectl("apply -f -", stdin=SCHEDULE)
    eventually(lambda: kubectl.get("swf each-second")["status"]["conditions"][0]["message"] == 'spec.pipelineName: there is no Pipeline "notes"')
    kubectl(f"apply -f {manifests}")
    eventually(lambda: condition_of(kubectl, "notes-v1")[0] == "READY")
    schedule_id = kubectl.get("swf each-second")["metadata"]["uid"]
    read = eventually(lambda: client.get_recurring_run(schedule_id))
    assert (read.display_name, read.namespace, read.max_concurrency) == ("each-second", unique, "2")
    status = eventually(lambda: (s := kubectl.get("swf each-second")["status"]) and s["trigger"].get("lastWorkflowIndex", 0) >= 2 and s)
    assert status["conditions"][0]["type"] == "Enabled" and status["trigger"]["nextTriggeredTime"]
    kubectl("patch swf each-second --type merge -p '{\"spec\":{\"enabled\":false,\"trigger\":{\"periodicSchedule\":{\"intervalSecond\":5}}}}'")
    eventually(lambda: client.get_recurring_run(schedule_id).status == "DISABLED")
    assert client.get_recurring_run(schedule_id).trigger.periodic_schedule.interval_second == "5"
    runs = client.list_runs(experiment_id=read.experiment_id, page_size=100, sort_by="created_at").runs
    assert [run.runtime_config.parameters["text"] for run in runs] == [f"run {index + 1}" for index in range(len(runs))]
    client.enable_recurring_run(schedule_id)
    eventually(lambda: kubectl.get("swf each-second")["spec"]["enabled"])
    eventually(lambda: kubectl.get("swf each-second")["metadata"]["labels"]["scheduledworkflows.kubeflow.org/enabled"] == "true")
    kubectl("patch swf each-second --type merge -p '{\"spec\":{\"trigger\":{\"cronSchedule\":{\"cron\":\"sometimes\"},\"periodicSchedule\":null}}}'")
    eventually(lambda: "not a cron expression" in kubectl.get("swf each-second")["status"]["conditions"][1]["message"])
    assert client.get_recurring_run(schedule_id).trigger.periodic_schedule.interval_second == "5"
    client.delete_recurring_run(schedule_id)
    eventually(lambda: kubectl.names("swf") == [])


def test_a_schedule_from_rest(client, kubectl, unique, package):
    experiment = client.create_experiment(f"e-{unique}", namespace=unique)
    made = client.create_recurring_run(experiment.experiment_id, "Each morning", cron_expression="0 0 9 * * *", pipeline_package_path=package, max_concurrency=3)
    [name] = eventually(lambda: kubectl.names(f"swf -l pipelines.kubeflow.org/recurring-run-id={made.recurring_run_id}"))
    spec = kubectl.get(name)["spec"]
    assert (spec["enabled"], spec["maxConcurrency"], spec["trigger"]) == (True, 3, {"cronSchedule": {"cron": "0 0 9 * * *"}})
    assert "spec" not in spec["workflow"]
    kubectl(f"patch {name} --type merge -p '{{\"spec\":{{\"maxConcurrency\":4}}}}'")
    eventually(lambda: client.get_recurring_run(made.recurring_run_id).max_concurrency == "4")
    assert client.get_recurring_run(made.recurring_run_id).pipeline_spec["pipelineInfo"]["name"] == "notes"
    kubectl(f"delete {name}")
    eventually(lambda: is_gone(lambda: client.get_recurring_run(made.recurring_run_id)))


def test_nothing_drifts_when_the_program_dies(tmp_path, package, manifests):
    sluice = OwnSluice(tmp_path / "own")
    sluice.directory.mkdir()
    sluice.up()

    def url() -> str:
        return json.loads((sluice.directory / "running.json").read_text())["url"]

    def die_and_start() -> kfp.Client:
        os.kill(json.loads((sluice.directory / "running.json").read_text())["pid"], signal.SIGKILL)
        sluice.up()
        return kfp.Client(host=url())

    try:
        client = kfp.Client(host=url())
        kubectl = OwnKubectl(sluice.kubeconfig)
        ids = [client.upload_pipeline(package, pipeline_name=f"p{index}").pipeline_id for index in range(5)]
        client = die_and_start()
        eventually(lambda: len(kubectl.names("pipelineversions")) == 5)
        kubectl("patch pipeline p0 --type merge -p '{\"spec\":{\"displayName\":\"zero\"}}'")
        kubectl("delete pipeline p1 --wait=false")
        client.pipelines.pipeline_service_update_pipeline(ids[2], kfp_server_api.V2beta1Pipeline(display_name="two"))
        delete = urllib.request.Request(f"{url()}/apis/v2beta1/pipelines/{ids[3]}?cascade=true", method="DELETE")
        urllib.request.urlopen(delete).close()
        kubectl(f"apply -f {manifests}")
        client = die_and_start()
        eventually(lambda: [p.name for p in client.list_pipelines(sort_by="name").pipelines] == ["notes", "p0", "p2", "p4"])
        eventually(lambda: kubectl.names("pipelines") == [f"pipeline.pipelines.kubeflow.org/{name}" for name in ("notes", "p0", "p2", "p4")])
        eventually(lambda: len(kubectl.names("pipelineversions")) == 4)
        eventually(lambda: client.get_pipeline(ids[0]).display_name == "zero")
        eventually(lambda: kubectl.get("pipeline p2")["spec"]["displayName"] == "two")
        assert kubectl.get("pipeline p4")["metadata"]["labels"]["pipelines.kubeflow.org/pipeline-id"] == ids[4]

        # Another cluster is filled, and what is missing there is not lost.
        sluice.down()
        for file in sluice.directory.glob("cluster.db*"):
            file.unlink()
        sluice.up()
        client = kfp.Client(host=url())
        eventually(lambda: len(kubectl.names("pipelineversions")) == 4)
        assert [p.name for p in client.list_pipelines(sort_by="name").pipelines] == ["notes", "p0", "p2", "p4"]
    finally:
        sluice.down()
