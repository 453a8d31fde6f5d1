"""A run as its APIs show it: tasks and logs by Kubeflow's, pods by Kubernetes'."""

import functools
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

import kfp
import kubernetes

#: Where runs have their pods unless their experiment says otherwise.
NAMESPACE = "kubeflow"

TERMINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@functools.cache
def core() -> kubernetes.client.CoreV1Api:
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config())


class ObservedRun:
    def __init__(self, client: kfp.Client, run_id: str):
        self.client = client
        self.id = run_id
        self.refresh()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(os.environ["SLUICE_URL"] + path, timeout=30) as response:
            return response.read().decode()

    def refresh(self) -> "ObservedRun":
        self.json = json.loads(self.get(f"/apis/v2beta1/runs/{self.id}?view=FULL"))
        return self

    @property
    def state(self) -> str:
        return self.json.get("state", "")

    @property
    def error(self) -> str:
        return self.json.get("error", {}).get("message", "")

    @property
    def tasks(self) -> list[dict]:
        return self.json.get("tasks", [])

    def named(self, name: str) -> list[dict]:
        """The tasks of a name, or whose path ends with it."""
        return [task for task in self.tasks if task["name"] == name or f".{task['scope_path']}".endswith(f".{name}")]

    def task(self, name: str) -> dict:
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} tasks are named {name!r}:\n{self.told()}"
        return found[0]

    def output(self, name: str, key: str = "Output") -> Any:
        parameters = self.task(name).get("outputs", {}).get("parameters", [])
        return {one["parameter_key"]: one["value"] for one in parameters}[key]

    def input(self, name: str, key: str) -> Any:
        parameters = self.task(name).get("inputs", {}).get("parameters", [])
        return {one["parameter_key"]: one["value"] for one in parameters}.get(key)

    def artifacts(self, name: str, key: str, direction: str = "outputs") -> list[dict]:
        found = self.task(name).get(direction, {}).get("artifacts", [])
        return {one["artifact_key"]: one["artifacts"] for one in found}.get(key, [])

    def artifact(self, name: str, key: str) -> dict:
        (one,) = self.artifacts(name, key)
        return one

    def log(self, name: str) -> str:
        return self.log_of(self.task(name))

    def log_of(self, task: dict) -> str:
        try:
            return self.get(f"/apis/v1alpha1/runs/{self.id}/nodes/{task['task_id']}/log")
        except urllib.error.HTTPError as problem:
            return f"{problem}: {problem.read().decode()}"

    def logs(self, name: str) -> list[str]:
        """The logs of all tasks of a name, sorted."""
        return sorted(self.log_of(task).strip() for task in self.named(name))

    def pod(self, name: str) -> dict:
        """The pod of a task's last attempt."""
        pod = self.task(name)["pods"][0]["name"]
        return core().api_client.sanitize_for_serialization(core().read_namespaced_pod(pod, self.namespace))

    def pods(self) -> list[str]:
        found = core().list_namespaced_pod(self.namespace, label_selector=f"pipeline/runid={self.id}")
        return [pod.metadata.name for pod in found.items]

    def main(self, name: str) -> dict:
        """The container of a task's pod that runs what the task is for."""
        return next(one for one in self.pod(name)["spec"]["containers"] if one["name"] == "main")

    @property
    def namespace(self) -> str:
        return NAMESPACE

    def message(self, name: str) -> str:
        return self.task(name).get("status_metadata", {}).get("message", "")

    def told(self) -> str:
        """Every task, for whoever reads of a failure."""
        lines = [f"{t['scope_path']} {t['state']} {t.get('status_metadata', {}).get('message', '')}" for t in self.tasks]
        return "\n".join(lines)


def finished(run: ObservedRun, timeout: float) -> None:
    """Waits for the run's end."""
    deadline = time.monotonic() + timeout
    while run.refresh().state not in TERMINAL:
        assert time.monotonic() < deadline, f"still {run.state} after {timeout} s\n{run.told()}"
        time.sleep(0.1)
