"""kfp.Client that is told of no host: it finds the API through the cluster's own, by a kubeconfig."""

import os

import kfp
import pytest

SAY = {
    "pipelineInfo": {"name": "through-the-cluster"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.15.2",
    "deploymentSpec": {"executors": {"exec-say": {"container": {"image": "alpine", "command": ["sh", "-c", "echo said"]}}}},
    "components": {"comp-say": {"executorLabel": "exec-say"}},
    "root": {"dag": {"tasks": {"say": {"taskInfo": {"name": "say"}, "componentRef": {"name": "comp-say"}}}}},
}


@pytest.fixture
def through_cluster(monkeypatch, tmp_path) -> kfp.Client:
    """A client with nothing but `KUBECONFIG`."""
    assert "KUBECONFIG" in os.environ
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return kfp.Client()


def test_the_api_is_reached_through_the_service_proxy(through_cluster: kfp.Client, unique: str, tmp_path):
    import yaml

    assert through_cluster.get_kfp_healthz().multi_user is False
    experiment = through_cluster.create_experiment(unique)
    package = tmp_path / "pipeline.yaml"
    package.write_text(yaml.safe_dump(SAY))
    pipeline = through_cluster.upload_pipeline(str(package), pipeline_name=unique)
    [version] = through_cluster.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    run = through_cluster.run_pipeline(experiment.experiment_id, unique, pipeline_id=pipeline.pipeline_id, version_id=version.pipeline_version_id)
    assert through_cluster.wait_for_run_completion(run.run_id, timeout=120).state == "SUCCEEDED"
    assert run.run_id in [one.run_id for one in through_cluster.list_runs(experiment_id=experiment.experiment_id).runs]
