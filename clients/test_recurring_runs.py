"""Recurring runs of the real kfp SDK."""

import time
import uuid

import kfp_server_api
import pytest
from kfp import compiler, dsl


@dsl.container_component
def note(text: str):
    return dsl.ContainerSpec(image="alpine", command=["echo"], args=[text])


@dsl.pipeline(name="notes")
def notes(text: str = "nothing"):
    note(text=text).set_caching_options(False)


@pytest.fixture
def package(tmp_path) -> str:
    path = str(tmp_path / "notes.yaml")
    compiler.Compiler().compile(notes, path)
    return path


@pytest.fixture
def experiment(client) -> str:
    return client.create_experiment(f"schedules-{uuid.uuid4().hex[:8]}").experiment_id


def runs_of(client, experiment: str) -> list:
    return client.list_runs(experiment_id=experiment, page_size=100, sort_by="created_at").runs or []


def eventually(condition, timeout: float = 60):
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
    return result


def test_cron_and_interval(client, experiment, package):
    cron = client.create_recurring_run(
        experiment,
        "by cron",
        description="each morning",
        cron_expression="0 0 9 ? * 2-6",
        start_time="2036-01-01T00:00:00Z",
        end_time="2036-12-31T00:00:00Z",
        max_concurrency=3,
        no_catchup=True,
        params={"text": "[[ScheduledTime]]"},
        pipeline_package_path=package,
    )
    read = client.get_recurring_run(cron.recurring_run_id)
    assert (read.display_name, read.description, read.status, read.mode) == ("by cron", "each morning", "ENABLED", "ENABLE")
    assert read.trigger.cron_schedule.cron == "0 0 9 ? * 2-6" and read.trigger.cron_schedule.start_time.year == 2036
    assert (read.max_concurrency, read.no_catchup) == ("3", True)
    assert read.runtime_config.parameters == {"text": "[[ScheduledTime]]"} and read.pipeline_spec["pipelineInfo"]["name"] == "notes"
    interval = client.create_recurring_run(experiment, "by interval", interval_second=3600, enabled=False, pipeline_package_path=package)
    assert client.get_recurring_run(interval.recurring_run_id).trigger.periodic_schedule.interval_second == "3600"
    assert interval.status == "DISABLED"
    listed = client.list_recurring_runs(experiment_id=experiment, sort_by="display_name").recurring_runs
    assert [one.display_name for one in listed] == ["by cron", "by interval"]
    client.enable_recurring_run(interval.recurring_run_id)
    assert client.get_recurring_run(interval.recurring_run_id).status == "ENABLED"
    client.disable_recurring_run(interval.recurring_run_id)
    assert client.get_recurring_run(interval.recurring_run_id).status == "DISABLED"
    for one in listed:
        client.delete_recurring_run(one.recurring_run_id)
        with pytest.raises(kfp_server_api.ApiException) as gone:
            client.get_recurring_run(one.recurring_run_id)
        assert gone.value.status == 404
    assert not client.list_recurring_runs(experiment_id=experiment).recurring_runs


def test_a_schedule_runs(client, experiment, package):
    uploaded = client.upload_pipeline(package, pipeline_name=f"notes-{uuid.uuid4().hex[:6]}")
    version = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions[0]
    schedule = client.create_recurring_run(
        experiment,
        "each second",
        interval_second=1,
        max_concurrency=2,
        params={"text": "run [[Index]]"},
        pipeline_id=uploaded.pipeline_id,
        version_id=version.pipeline_version_id,
    )
    eventually(lambda: sum(run.state == "SUCCEEDED" for run in runs_of(client, experiment)) >= 3)
    client.disable_recurring_run(schedule.recurring_run_id)
    runs = runs_of(client, experiment)
    assert [run.runtime_config.parameters["text"] for run in runs] == [f"run {index + 1}" for index in range(len(runs))]
    assert {run.recurring_run_id for run in runs} == {schedule.recurring_run_id}
    slots = [run.scheduled_at for run in runs]
    assert all((later - earlier).total_seconds() == 1 for earlier, later in zip(slots, slots[1:]))
    assert runs[0].pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    client.delete_recurring_run(schedule.recurring_run_id)


def test_what_is_wrong_is_refused(client, experiment, package):
    for change in ({"max_concurrency": 11}, {"cron_expression": "now and then"}, {"params": {"number": 3, "text": 1, "nothing": 0}}):
        arguments = {"cron_expression": "0 0 9 * * *", "pipeline_package_path": package, **change}
        with pytest.raises(kfp_server_api.ApiException) as refused:
            client.create_recurring_run(experiment, "wrong", **arguments)
        assert refused.value.status == 400, change
