"""Every public method of `kfp.Client`, against a running Sluice."""

import ast
import inspect
import json
import pathlib
import time
import uuid

import kfp
import kfp_server_api
import pytest
import yaml
from conftest import eventually
from kfp import compiler, dsl
from kfp_features.components import say, shell
from kfp_server_api import ApiException

#: Whose tests are elsewhere, and where.
ELSEWHERE = {
    "create_recurring_run": "test_recurring_runs.py",
    "list_recurring_runs": "test_recurring_runs.py",
    "get_recurring_run": "test_recurring_runs.py",
    "enable_recurring_run": "test_recurring_runs.py",
    "disable_recurring_run": "test_recurring_runs.py",
    "delete_recurring_run": "test_recurring_runs.py",
    "enable_job": "test_recurring_runs.py",
    "disable_job": "test_recurring_runs.py",
    "delete_job": "test_recurring_runs.py",
}


@dsl.pipeline(name="greet", description="says hello", display_name="Greet")
def greet(name: str = "nobody"):
    say(text=f"hello {name}")


@dsl.pipeline(name="greet")
def greet_again(name: str = "nobody", times: int = 2):
    say(text=f"hello {name} {times}")


@dsl.pipeline(name="linger")
def linger():
    shell(script="sleep 60")


@pytest.fixture
def package(tmp_path) -> str:
    path = str(tmp_path / "greet.yaml")
    compiler.Compiler().compile(greet, path)
    return path


def predicate(key: str, operation: str, value) -> str:
    kind = "string_value" if isinstance(value, str) else "int_value"
    return json.dumps({"predicates": [{"key": key, "operation": operation, kind: value}]})


def finished(client: kfp.Client, run_id: str) -> kfp_server_api.V2beta1Run:
    return eventually(lambda: (run := client.get_run(run_id)).state in ("SUCCEEDED", "FAILED", "CANCELED") and run, 60)


def refused(call, status: int) -> str:
    with pytest.raises(ApiException) as problem:
        call()
    assert problem.value.status == status, problem.value.body
    return problem.value.body


def pages(list_page) -> list[list]:
    """All pages of a list; `list_page` takes a token and gives items and the next token."""
    found, token = [], ""
    while True:
        items, token = list_page(token)
        found.append(items or [])
        if not token:
            return found


def test_every_method_is_tested():
    methods = {name for name, _ in inspect.getmembers(kfp.Client, inspect.isfunction) if not name.startswith("_")}
    tree = ast.parse(pathlib.Path(__file__).read_text())
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    assert methods - called - ELSEWHERE.keys() == set(), "a method of kfp.Client has no test"
    assert ELSEWHERE.keys() <= methods


def test_health_and_namespace(client, url, tmp_path, monkeypatch):
    health = client.get_kfp_healthz()
    assert health.multi_user is False
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    own = kfp.Client(host=url)
    assert own.get_user_namespace() == ""
    own.set_user_namespace("somewhere")
    assert own.get_user_namespace() == "somewhere"
    assert kfp.Client(host=url).get_user_namespace() == "somewhere"
    assert kfp.Client(host=url + "/", namespace="other").get_kfp_healthz().multi_user is False
    # As Kubeflow's gateway has it.
    assert kfp.Client(host=url + "/pipeline").get_kfp_healthz().multi_user is False


def test_experiments(client, unique):
    made = client.create_experiment(unique, description="for a test")
    assert (made.display_name, made.description, made.storage_state) == (unique, "for a test", "AVAILABLE")
    assert made.created_at is not None
    assert client.create_experiment(unique).experiment_id == made.experiment_id
    assert client.get_experiment(made.experiment_id) == client.get_experiment(experiment_name=unique)
    with pytest.raises(ValueError, match="No experiment is found"):
        client.get_experiment(experiment_name=f"{unique}-absent")
    refused(lambda: client.get_experiment(str(uuid.uuid4())), 404)
    client.archive_experiment(made.experiment_id)
    assert client.get_experiment(made.experiment_id).storage_state == "ARCHIVED"
    client.unarchive_experiment(made.experiment_id)
    assert client.get_experiment(made.experiment_id).storage_state == "AVAILABLE"
    client.delete_experiment(made.experiment_id)
    refused(lambda: client.get_experiment(made.experiment_id), 404)


def test_archiving_an_experiment_archives_its_runs(client, unique):
    experiment = client.create_experiment(unique).experiment_id
    run = client.create_run_from_pipeline_func(greet, experiment_name=unique, enable_caching=False).run_id
    finished(client, run)
    client.archive_experiment(experiment)
    assert client.get_run(run).storage_state == "ARCHIVED"
    client.unarchive_experiment(experiment)
    assert client.get_run(run).storage_state == "ARCHIVED"
    client.unarchive_run(run)
    assert client.get_run(run).storage_state == "AVAILABLE"
    client.archive_run(run)
    assert client.get_run(run).storage_state == "ARCHIVED"


def test_lists_have_pages_filters_and_an_order(client, unique, package):
    names = [f"{unique}-{letter}" for letter in "abcde"]
    for name in reversed(names):
        client.create_experiment(name)
    mine = predicate("display_name", "IS_SUBSTRING", unique)

    def page_of(token):
        answer = client.list_experiments(page_token=token, page_size=2, sort_by="display_name desc", filter=mine)
        assert answer.total_size == 5
        return answer.experiments, answer.next_page_token

    found = pages(page_of)
    assert [len(page) for page in found] == [2, 2, 1]
    assert [one.display_name for page in found for one in page] == names[::-1]
    one = client.list_experiments(filter=predicate("display_name", "EQUALS", names[2]), sort_by="created_at asc")
    assert [found.display_name for found in one.experiments] == [names[2]]
    assert not client.list_experiments(filter=predicate("display_name", "EQUALS", "no such one")).experiments
    assert "nonsense" in refused(lambda: client.list_experiments(sort_by="nonsense"), 400)
    refused(lambda: client.list_experiments(filter="{nonsense"), 400)
    refused(lambda: client.list_experiments(page_token="nonsense"), 400)
    refused(lambda: client.list_experiments(page_size=-1), 400)
    token = client.list_experiments(page_size=2, sort_by="display_name desc", filter=mine).next_page_token
    refused(lambda: client.list_experiments(page_token=token, page_size=2, sort_by="display_name asc", filter=mine), 400)


def test_pipelines_and_versions(client, unique, package):
    made = client.upload_pipeline(package, pipeline_name=unique, description="said at upload")
    assert (made.display_name, made.description) == (unique, "said at upload")
    assert client.get_pipeline(made.pipeline_id).display_name == unique
    assert client.get_pipeline_id(unique) == made.pipeline_id
    assert client.get_pipeline_id(f"{unique}-absent") is None
    refused(lambda: client.upload_pipeline(package, pipeline_name=unique), 409)
    refused(lambda: client.get_pipeline(str(uuid.uuid4())), 404)

    other = client.upload_pipeline_from_pipeline_func(greet_again, pipeline_name=f"{unique}-func", description="a function")
    by_name = client.upload_pipeline_version(package, f"{unique}-2", pipeline_name=unique, description="the second")
    by_func = client.upload_pipeline_version_from_pipeline_func(greet_again, f"{unique}-3", pipeline_id=made.pipeline_id)
    refused(lambda: client.upload_pipeline_version(package, f"{unique}-2", pipeline_id=made.pipeline_id), 409)
    refused(lambda: client.upload_pipeline_version(package, "x", pipeline_name=f"{unique}-absent"), 400)

    version = client.get_pipeline_version(made.pipeline_id, by_name.pipeline_version_id)
    assert (version.display_name, version.description) == (f"{unique}-2", "the second")
    assert version.pipeline_spec["pipelineInfo"]["name"] == "greet"
    listed = client.list_pipeline_versions(made.pipeline_id, sort_by="created_at asc").pipeline_versions
    assert [one.pipeline_version_id for one in listed][1:] == [by_name.pipeline_version_id, by_func.pipeline_version_id]
    found = pages(
        lambda token: (
            (answer := client.list_pipeline_versions(made.pipeline_id, page_token=token, page_size=2)).pipeline_versions,
            answer.next_page_token,
        )
    )
    assert [len(page) for page in found] == [2, 1]
    named = client.list_pipeline_versions(made.pipeline_id, filter=predicate("display_name", "EQUALS", f"{unique}-3"))
    assert [one.pipeline_version_id for one in named.pipeline_versions] == [by_func.pipeline_version_id]
    pipelines = client.list_pipelines(filter=predicate("display_name", "IS_SUBSTRING", unique), sort_by="display_name", page_size=1)
    assert pipelines.total_size == 2 and pipelines.pipelines[0].pipeline_id == made.pipeline_id and pipelines.next_page_token

    client.delete_pipeline_version(made.pipeline_id, by_name.pipeline_version_id)
    refused(lambda: client.get_pipeline_version(made.pipeline_id, by_name.pipeline_version_id), 404)
    client.pipelines.pipeline_service_delete_pipeline(made.pipeline_id, cascade=True)
    refused(lambda: client.get_pipeline(made.pipeline_id), 404)
    client.delete_pipeline_version(other.pipeline_id, client.list_pipeline_versions(other.pipeline_id).pipeline_versions[0].pipeline_version_id)
    client.delete_pipeline(other.pipeline_id)
    refused(lambda: client.get_pipeline(other.pipeline_id), 404)


def test_a_pipeline_with_versions_is_not_deleted_by_accident(client, unique, package):
    made = client.upload_pipeline(package, pipeline_name=unique)
    refused(lambda: client.delete_pipeline(made.pipeline_id), 400)
    assert client.get_pipeline(made.pipeline_id).pipeline_id == made.pipeline_id


def test_tags(client, unique, package):
    body = kfp_server_api.V2beta1Pipeline(display_name=unique, tags={"team": unique, "stage": "dev"})
    made = client.pipelines.pipeline_service_create_pipeline(body)
    assert client.get_pipeline(made.pipeline_id).tags == {"team": unique, "stage": "dev"}
    spec = yaml.safe_load(pathlib.Path(package).read_text())
    body = kfp_server_api.V2beta1PipelineVersion(display_name=f"{unique}-2", pipeline_spec=spec, tags={"good": "yes"})
    version = client.pipelines.pipeline_service_create_pipeline_version(made.pipeline_id, body)
    assert client.get_pipeline_version(made.pipeline_id, version.pipeline_version_id).tags == {"good": "yes"}
    found = client.list_pipelines(filter=predicate("tags.team", "EQUALS", unique)).pipelines
    assert [one.pipeline_id for one in found] == [made.pipeline_id]
    versions = client.list_pipeline_versions(made.pipeline_id, filter=predicate("tags.good", "EQUALS", "yes")).pipeline_versions
    assert [one.pipeline_version_id for one in versions] == [version.pipeline_version_id]
    body = kfp_server_api.V2beta1Pipeline(display_name=f"{unique} renamed", tags={"team": "other"})
    client.pipelines.pipeline_service_update_pipeline(made.pipeline_id, body)
    assert client.get_pipeline(made.pipeline_id).tags == {"team": "other"}


def test_packages_of_every_form(client, unique, package, tmp_path):
    """YAML, and archives of it; what is none is refused."""
    import tarfile
    import zipfile

    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as archive:
        archive.add(package, "pipeline.yaml")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(package, "pipeline.yaml")
    for file in ("p.tar.gz", "p.zip"):
        made = client.upload_pipeline(str(tmp_path / file), pipeline_name=f"{unique}-{file}")
        (version,) = client.list_pipeline_versions(made.pipeline_id).pipeline_versions
        assert version.pipeline_spec["pipelineInfo"]["name"] == "greet"
    (tmp_path / "bad.yaml").write_text("not: [a pipeline")
    refused(lambda: client.upload_pipeline(str(tmp_path / "bad.yaml"), pipeline_name=f"{unique}-bad"), 400)


def test_runs(client, unique, package):
    experiment = client.create_experiment(unique)
    pipeline = client.upload_pipeline(package, pipeline_name=unique)
    (version,) = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    by_version = client.run_pipeline(
        experiment.experiment_id, "by version", params={"name": "a"}, pipeline_id=pipeline.pipeline_id, version_id=version.pipeline_version_id
    )
    reference = kfp_server_api.V2beta1PipelineVersionReference(pipeline_id=pipeline.pipeline_id)
    by_pipeline = client.runs.run_service_create_run(
        kfp_server_api.V2beta1Run(display_name="by pipeline", experiment_id=experiment.experiment_id, pipeline_version_reference=reference)
    )
    by_package = client.run_pipeline(experiment.experiment_id, "by package", package, {"name": "b"}, pipeline_root="minio://elsewhere/root")
    by_func = client.create_run_from_pipeline_func(
        greet, {"name": "c"}, run_name="by function", experiment_name=unique, service_account="pipeline-runner"
    )
    from_package = client.create_run_from_pipeline_package(package, {"name": "d"}, run_name="from package", experiment_id=experiment.experiment_id)
    ids = [by_version.run_id, by_pipeline.run_id, by_package.run_id, by_func.run_id, from_package.run_id]
    for run_id in ids:
        done = finished(client, run_id)
        assert done.state == "SUCCEEDED", done.error
        assert done.experiment_id == experiment.experiment_id and done.finished_at >= done.created_at
        assert [one.state for one in done.state_history][-1] == "SUCCEEDED"
    assert client.get_run(by_version.run_id).pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    assert client.get_run(by_pipeline.run_id).pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    assert client.get_run(by_package.run_id).runtime_config.pipeline_root == "minio://elsewhere/root"
    assert client.get_run(by_package.run_id).runtime_config.parameters == {"name": "b"}
    assert client.get_run(by_func.run_id).service_account == "pipeline-runner"
    assert by_func.run_info.run_id == by_func.run_id and by_func.wait_for_run_completion(5).state == "SUCCEEDED"

    listed = client.list_runs(experiment_id=experiment.experiment_id, sort_by="created_at", page_size=10)
    assert [one.run_id for one in listed.runs] == ids and listed.total_size == 5
    found = pages(
        lambda token: (
            (answer := client.list_runs(page_token=token, page_size=2, sort_by="created_at desc", experiment_id=experiment.experiment_id)).runs,
            answer.next_page_token,
        )
    )
    assert [one.run_id for page in found for one in page] == ids[::-1]
    named = client.list_runs(experiment_id=experiment.experiment_id, filter=predicate("display_name", "EQUALS", "by version"))
    assert [one.run_id for one in named.runs] == ids[:1]
    succeeded = client.list_runs(experiment_id=experiment.experiment_id, filter=predicate("state", "EQUALS", "SUCCEEDED"))
    assert len(succeeded.runs) == 5
    client.archive_run(ids[0])
    available = client.list_runs(experiment_id=experiment.experiment_id, filter=predicate("storage_state", "EQUALS", "AVAILABLE"))
    assert {one.run_id for one in available.runs} == set(ids[1:])
    client.delete_run(ids[0])
    refused(lambda: client.get_run(ids[0]), 404)
    refused(lambda: client.delete_run(ids[0]), 404)


def test_waiting(client):
    run = client.create_run_from_pipeline_func(linger, enable_caching=False)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        client.wait_for_run_completion(run.run_id, timeout=0.1, sleep_duration=0.1)
    assert time.monotonic() - began < 10
    client.terminate_run(run.run_id)
    assert finished(client, run.run_id).state == "CANCELED"
    refused(lambda: client.terminate_run(run.run_id), 400)
    other = client.create_run_from_pipeline_func(greet)
    assert client.wait_for_run_completion(other.run_id, timeout=60, sleep_duration=0.1).state == "SUCCEEDED"


def test_what_a_run_refuses(client, unique, package):
    experiment = client.create_experiment(unique).experiment_id
    nonsense = kfp_server_api.V2beta1Run(display_name="bad", pipeline_spec={"nonsense": True})
    assert "nonsense" in refused(lambda: client.runs.run_service_create_run(nonsense), 400)
    assert "times" in refused(lambda: client.run_pipeline(experiment, "x", package, {"times": 1}), 400)
    refused(lambda: client.run_pipeline(experiment, "x", pipeline_id=str(uuid.uuid4()), version_id=str(uuid.uuid4())), 404)
    refused(lambda: client.run_pipeline(str(uuid.uuid4()), "x", package), 404)

    @dsl.pipeline(name="needs")
    def needs(name: str):
        say(text=name)

    assert "name" in refused(lambda: client.create_run_from_pipeline_func(needs), 400)


def test_generated_apis(client, unique):
    """What the SDK's own methods do not reach."""
    run = client.create_run_from_pipeline_func(linger, enable_caching=False).run_id
    eventually(lambda: client.get_run(run).state == "RUNNING")
    client.runs.run_service_terminate_run(run)
    assert finished(client, run).state == "CANCELED"
    client.runs.run_service_retry_run(run)
    assert client.runs.run_service_get_run(run).state in ("PENDING", "RUNNING")
    client.runs.run_service_terminate_run(run)
    finished(client, run)
    made = client.pipelines.pipeline_service_create_pipeline(kfp_server_api.V2beta1Pipeline(display_name=unique, name=unique))
    assert client.pipelines.pipeline_service_get_pipeline_by_name(unique).pipeline_id == made.pipeline_id
    refused(lambda: client.runs.run_service_create_run(kfp_server_api.V2beta1Run(display_name="none")), 400)
    assert client.experiments.experiment_service_list_experiments(page_size=1).experiments
