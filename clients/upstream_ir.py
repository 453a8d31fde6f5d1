"""Upstream's own compiled pipelines against a Sluice of this script's own: what uploads, what runs, and why not.

    python clients/upstream_ir.py CHECKOUT [--internet] [--only TEXT …]

CHECKOUT is a checkout of kubeflow/pipelines; without, the environment variable KFP_TEST_DATA says where one is.
It exits with 1 if a file does not do what it should.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import sys
import tempfile
import time
import zipfile

import kfp
import kfp_server_api
import kubernetes
import yaml

from own_sluice import OwnSluice

DATA = "test_data/sdk_compiled_pipelines"
NAMESPACE = "kubeflow"

ACCOUNT = "cloud account"
IMAGE = "private image"
OPERATOR = "operator"
INTERNET = "internet"
CALLER = "caller"
ITSELF = "impossible"

# By file: what it needs that is not here, and what for.
NEEDS = {
    "artifacts_simple.yaml": (ACCOUNT, "its container puts /gcs/ for gs:// itself: the pipeline root must be a bucket of one's own"),
    "component_with_metadata_fields.yaml": (CALLER, "the pipeline takes artifacts, and no API of KFP gives any to a run"),
    "component_with_task_final_status_GH-12033.yaml": (CALLER, "the pipeline takes the final status of a task, and no API of KFP gives one to a run"),
    "container_io.yaml": (IMAGE, "python:3.11 has no program my_program"),
    "container_with_artifact_output.yaml": (IMAGE, "gcr.io/my-image does not exist"),
    "container_with_concat_placeholder.yaml": (IMAGE, "python:3.11 has no program my_program"),
    "container_with_if_placeholder.yaml": (IMAGE, "python:3.11 has no program my_program"),
    "container_with_placeholder_in_fstring.yaml": (IMAGE, "python:3.11 has no program my_program"),
    "containerized_python_component.yaml": (IMAGE, "kfp-image is built by the test of the SDK from sources beside it"),
    "create_pod_metadata_complex.yaml": (ITSELF, "a component fails unless variables that nothing sets are there and empty"),
    "critical/pipeline_with_artifact_upload_download.yaml": (INTERNET, "downloads a dataset from Hugging Face"),
    "input_artifact.yaml": (CALLER, "the pipeline takes an artifact, and no API of KFP gives any to a run"),
    "integration/ray_integration_compiled.yaml": (OPERATOR, "makes a RayCluster, which KubeRay runs from quay.io/modh/ray"),
    "local_execution/local_execution_pipeline_with_retry.yaml": (ITSELF, "counts its attempts in a file, and on Kubernetes each has files of its own"),
    "pipeline_with_condition_dynamic_task_output_custom_training_job.yaml": (ACCOUNT, "starts a Vertex AI training job"),
    "pipeline_with_dynamic_task_output_custom_training_job.yaml": (ACCOUNT, "starts a Vertex AI training job"),
    "pipeline_with_google_artifact_type.yaml": (IMAGE, "installs the package aiplatform, which PyPI does not have"),
    "pipeline_with_importer.json": (INTERNET, "reads gs://ml-pipeline-playground"),
    "pipeline_with_importer.yaml": (INTERNET, "reads gs://ml-pipeline-playground"),
    "pipeline_with_importer_and_gcpc_types.yaml": (IMAGE, "the image is called dummy"),
    "pipeline_with_metadata_fields.yaml": (CALLER, "the pipeline takes an artifact, and no API of KFP gives any to a run"),
    "pipeline_with_string_machine_fields_task_output.yaml": (ACCOUNT, "asks for a NVIDIA_TESLA_P4, which only Vertex AI calls so"),
    "pipeline_with_various_io_types.yaml": (IMAGE, "gcr.io/image does not exist"),
    "pythonic_artifact_with_single_return.yaml": (INTERNET, "reads gs://ml-pipeline-playground"),
    "sequential_v2.yaml": (ACCOUNT, "gsutil copies an object of one's own Google Cloud bucket"),
    "two_step_pipeline.yaml": (ACCOUNT, "gsutil writes to the pipeline root: it must be a Google Cloud bucket of one's own"),
    "upload_download_compiled.yaml": (ACCOUNT, "reads its artifact over S3, with keys and an address that it is given"),
    "xgboost_sample_pipeline.yaml": (INTERNET, "downloads taxi trips from data.cityofchicago.org"),
}

# Outside of `failing`, and yet a task in it fails on purpose, and with it the run.
FAIL = (
    "local_execution/local_execution_pipeline_with_ignore_upstream_failure.yaml",
    "pipeline_as_exit_task.yaml",
    "pipeline_with_task_final_status.yaml",
    "pipeline_with_task_using_ignore_upstream_failure.yaml",
)

# By file: values for inputs, where any value of their type would not do.
PARAMETERS = {
    "env-var.yaml": {"env_var": "PATH"},
    "pipeline_with_string_machine_fields_pipeline_input.yaml": {"accelerator_type": "nvidia.com/gpu"},
    "pvc_mount.yaml": {"pvc_name": "upstream-ir"},
    "take_nap_compiled.yaml": {"naptime_secs": 1},
    "take_nap_pipeline_root_compiled.yaml": {"naptime_secs": 1},
}
VALUES = {"NUMBER_INTEGER": 7, "NUMBER_DOUBLE": 0.5, "BOOLEAN": True, "STRING": "some text", "LIST": ["one item"], "STRUCT": {"A": "0.1", "B": "0.2"}}
# jq is among this machine's programs. Like upstream's check of GPUs, ours needs a node that says it has one, and no more.
CONFIGURATION = """
imageProfiles:
  jetbrainsinfra/jq: alpine
nodes:
- name: upstream
  capacity: {cpu: "32", memory: 64Gi, nvidia.com/gpu: "1"}
"""
FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
SECRETS = {"test-secret-1": {"username": "user1"}, "test-secret-2": {"password": "psw1"}, "test-secret-3": {"password": "psw2"}}


def text_of(file: pathlib.Path) -> bytes:
    """A pipeline's own text; an archive has one file."""
    if file.suffix != ".zip":
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        return archive.read(archive.namelist()[0])


def inputs_of(file: pathlib.Path, name: str) -> dict:
    """Values for what the pipeline requires of whoever runs it."""
    root = next(yaml.safe_load_all(text_of(file)))["root"]
    declared = root.get("inputDefinitions", {}).get("parameters", {})
    required = {key: VALUES[spec["parameterType"]] for key, spec in declared.items() if "defaultValue" not in spec and not spec.get("isOptional")}
    return {**required, **PARAMETERS.get(name, {})}


def reason_of(run: dict) -> str:
    """What the first task that failed says."""
    failed = [task for task in run.get("tasks", []) if task.get("state") == "FAILED"]
    said = [f"{task['name']}: {task.get('status_metadata', {}).get('message', '')}" for task in failed]
    # Tasks within tasks come later, and say more.
    return " ".join((said or [str(run.get("error", {}).get("message", ""))])[-1].split())


class Upstream:
    def __init__(self, url: str, files: pathlib.Path):
        self.client = kfp.Client(host=url)
        self.url = url
        self.files = files
        self.suffix = int(time.time())
        self.experiment = self.client.create_experiment("upstream").experiment_id

    def upload(self, path: pathlib.Path):
        """Uploads a file as upstream's own tests do: with the SDK that they run with in place of the one that compiled it."""
        name = "-".join(path.relative_to(self.files).parts).replace(".", "-").replace("_", "-").lower()
        with tempfile.NamedTemporaryFile(suffix=path.suffix) as copy:
            copy.write(re.sub(rb"kfp==\d+\.\d+\.\d+", f"kfp=={kfp.__version__}".encode(), path.read_bytes()))
            copy.flush()
            return self.client.upload_pipeline(copy.name, pipeline_name=f"{name}-{self.suffix}")

    def refuses(self, path: pathlib.Path) -> tuple[str, ...]:
        try:
            self.upload(path)
        except kfp_server_api.ApiException as problem:
            said = str(problem.body).replace("\n", " ")
            return ("bad", "-", said) if problem.status >= 500 else ("as it should be", "-", said)
        except ValueError as problem:
            return ("as it should be", "-", f"by the SDK: {problem}")
        return ("bad", "yes", "")

    def run(self, path: pathlib.Path, name: str, needs: tuple[str, str] | None, timeout: int) -> tuple[str, str, str, str]:
        try:
            uploaded = self.upload(path)
        except kfp_server_api.ApiException as problem:
            return ("bad", "no", "-", str(problem.body))
        if needs is not None:
            return ("not run", "yes", "-", f"{needs[0]}: {needs[1]}")
        wanted = "FAILED" if name.startswith("failing/") or name in FAIL else "SUCCEEDED"
        version = self.client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions[0].pipeline_version_id
        try:
            parameters = inputs_of(path, name)
            started = self.client.run_pipeline(self.experiment, name, pipeline_id=uploaded.pipeline_id, version_id=version, params=parameters)
        except kfp_server_api.ApiException as problem:
            return ("bad", "yes", "refused", str(problem.body))
        deadline = time.monotonic() + timeout
        while (state := self.client.get_run(started.run_id).state) not in FINAL and time.monotonic() < deadline:
            time.sleep(0.5)
        full = self.client.runs.api_client.call_api(
            f"/apis/v2beta1/runs/{started.run_id}", "GET", query_params=[("view", "FULL")], response_type="object", _return_http_data_only=True
        )
        return ("as it should be" if state == wanted else "bad", "yes", state, "" if state == "SUCCEEDED" else reason_of(full))


def prepare(kubeconfig: str) -> None:
    """The secrets and the claim that upstream's pipelines expect."""
    kubernetes.config.load_kube_config(kubeconfig)
    core = kubernetes.client.CoreV1Api()
    if all(namespace.metadata.name != NAMESPACE for namespace in core.list_namespace().items):
        core.create_namespace({"metadata": {"name": NAMESPACE}})
    if any(secret.metadata.name in SECRETS for secret in core.list_namespaced_secret(NAMESPACE).items):
        return
    for name, data in SECRETS.items():
        core.create_namespaced_secret(NAMESPACE, {"metadata": {"name": name}, "stringData": data})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    core.create_namespaced_persistent_volume_claim(NAMESPACE, {"metadata": {"name": "upstream-ir"}, "spec": claim})


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs upstream's compiled pipelines.")
    parser.add_argument("checkout", nargs="?", default=os.environ.get("KFP_TEST_DATA"))
    parser.add_argument("--internet", action="store_true", help="also run what needs no more than the internet")
    parser.add_argument("--only", nargs="*", default=[""], help="files whose names contain one of these")
    parser.add_argument("--timeout", type=int, default=900, help="seconds that a run may take")
    parser.add_argument("--data-dir", help="where Sluice keeps its data, and leaves it")
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    if options.checkout is None:
        parser.error("name a checkout of kubeflow/pipelines")
    files = pathlib.Path(options.checkout) / DATA
    if not files.is_dir():
        parser.error(f"{files} is not a directory")
    valid = {str(path.relative_to(files / "valid")): path for path in sorted((files / "valid").rglob("*.*")) if path.suffix in (".yaml", ".zip", ".json")}
    unknown = (NEEDS.keys() | PARAMETERS.keys()) - valid.keys()
    if unknown:
        parser.error(f"upstream no longer has {', '.join(sorted(unknown))}")
    with contextlib.ExitStack() as stack:
        temporary = options.data_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-upstream-"))
        sluice = OwnSluice(pathlib.Path(temporary))
        (sluice.directory / "sluice.yaml").write_text(CONFIGURATION)
        sluice.up()
        try:
            prepare(sluice.kubeconfig)
            # The SDK prints links as it goes.
            with contextlib.redirect_stdout(sys.stderr):
                rows = results(Upstream(sluice.url(), files), valid, options)
            return report(rows)
        finally:
            sluice.down()


def results(upstream: Upstream, valid: dict[str, pathlib.Path], options: argparse.Namespace) -> list[tuple[str, ...]]:
    """By file: its name, the verdict, whether it was uploaded, the run's state, the reason."""
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        work = {}
        for name, path in valid.items():
            if not any(text in name for text in options.only):
                continue
            needs = NEEDS.get(name)
            if options.internet and needs is not None and needs[0] == INTERNET:
                needs = None
            work[pool.submit(upstream.run, path, name, needs, options.timeout)] = name
        for done in concurrent.futures.as_completed(work):
            row = (work[done], *done.result())
            rows.append(row)
            print(" | ".join(row), file=sys.stderr, flush=True)
    for path in sorted((upstream.files / "invalid").iterdir()):
        if any(text in f"invalid/{path.name}" for text in options.only):
            verdict, uploaded, why = upstream.refuses(path)
            rows.append((f"invalid/{path.name}", verdict, "refused" if uploaded == "-" else uploaded, "-", why))
    return sorted(rows)


def report(rows: list[tuple[str, ...]]) -> int:
    print("| file | uploaded | state | verdict | reason |\n|---|---|---|---|---|")
    for name, verdict, uploaded, state, why in rows:
        print(f"| {name} | {uploaded} | {state} | {verdict} | {why[:300].replace('|', '/')} |")
    counted = {verdict: sum(row[1] == verdict for row in rows) for verdict in ("as it should be", "not run", "bad")}
    print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in counted.items()))
    return 1 if counted["bad"] > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
