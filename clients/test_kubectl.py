"""kubectl behaves as on any cluster."""

import json
import os
import subprocess
import threading
import time

import pytest
import yaml

from conftest import kubectl

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox
    command: [sh, -c, 'echo "hello from $NAME"; cat /etc/config/greeting; echo; sleep 1; echo bye']
    env:
    - name: NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    volumeMounts:
    - {name: config, mountPath: /etc/config}
  volumes:
  - name: config
    configMap: {name: greetings}
"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata:
  name: count
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox
        command: [sh, -c, 'echo "index $JOB_COMPLETION_INDEX"']
"""

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: sluices.water.example.com
spec:
  group: water.example.com
  scope: Namespaced
  names: {kind: Sluice, plural: sluices, singular: sluice, shortNames: [sl]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Gates, type: integer, jsonPath: .spec.gates}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [gates]
            properties:
              gates: {type: integer, minimum: 1, description: How many gates it has.}
              river: {type: string, default: Rhine}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""

SLUICE = """
apiVersion: water.example.com/v1
kind: Sluice
metadata: {name: upper}
spec: {gates: 3}
"""


def get(namespace: str, *arguments: str) -> dict:
    return json.loads(kubectl("get", "-n", namespace, *arguments, "-o", "json").stdout)


def test_get_across_namespaces():
    out = kubectl("get", "ns,pods,nodes", "-A").stdout
    assert "namespace/default" in out and "namespace/kube-system" in out
    assert "node/" in out and "Ready" in out


def test_nodes_are_described():
    name = json.loads(kubectl("get", "nodes", "-o", "json").stdout)["items"][0]["metadata"]["name"]
    out = kubectl("describe", "node", name).stdout
    assert "Capacity:" in out and "cpu:" in out and "Ready" in out


def test_create_configmap(namespace):
    assert "configmap/settings created" in kubectl("create", "configmap", "settings", "--from-literal=a=1", "-n", namespace).stdout
    assert get(namespace, "configmap", "settings")["data"] == {"a": "1"}
    again = kubectl("create", "configmap", "settings", "--from-literal=a=1", "-n", namespace, check=False)
    assert again.returncode == 1 and "already exists" in again.stderr


@pytest.mark.parametrize("flags", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_apply_pod(namespace, flags):
    kubectl("create", "configmap", "greetings", "--from-literal=greeting=good morning", "-n", namespace)
    first = kubectl("apply", *flags, "-n", namespace, "-f", "-", stdin=POD).stdout
    assert "pod/hello" in first
    follow = kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/hello", "-n", namespace, "--timeout=30s", check=False)
    assert follow.returncode == 0, follow.stderr
    logs = kubectl("logs", "-f", "hello", "-n", namespace).stdout
    assert logs.splitlines() == ["hello from hello", "good morning", "bye"]
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/hello", "-n", namespace, "--timeout=30s")
    described = kubectl("describe", "pod", "hello", "-n", namespace).stdout
    for expected in ["Status:", "Succeeded", "Exit Code:", "Scheduled", "Started"]:
        assert expected in described
    before = get(namespace, "pod", "hello")
    kubectl("apply", *flags, "-n", namespace, "-f", "-", stdin=POD)
    assert get(namespace, "pod", "hello") == before
    assert "deleted" in kubectl("delete", "pod", "hello", "-n", namespace).stdout
    assert "NotFound" in kubectl("get", "pod", "hello", "-n", namespace, check=False).stderr


@pytest.mark.parametrize("flags", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_apply_job(namespace, flags):
    kubectl("apply", *flags, "-n", namespace, "-f", "-", stdin=JOB)
    kubectl("wait", "--for=condition=complete", "job/count", "-n", namespace, "--timeout=60s")
    status = get(namespace, "job", "count")["status"]
    assert status["succeeded"] == 3 and status["completedIndexes"] == "0-2"
    logs = kubectl("logs", "-l", "job-name=count", "-n", namespace).stdout
    assert sorted(logs.splitlines()) == ["index 0", "index 1", "index 2"]
    assert "Completed" in kubectl("describe", "job", "count", "-n", namespace).stdout
    kubectl("delete", "job", "count", "-n", namespace)
    kubectl("wait", "--for=delete", "pod", "-l", "job-name=count", "-n", namespace, "--timeout=30s")
    assert get(namespace, "pods")["items"] == []


@pytest.mark.parametrize("flags", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_apply_custom_resource(namespace, flags):
    kubectl("apply", *flags, "-f", "-", stdin=CRD)
    try:
        kubectl("wait", "--for=condition=established", "crd/sluices.water.example.com", "--timeout=20s")
        kubectl("apply", *flags, "-n", namespace, "-f", "-", stdin=SLUICE)
        assert get(namespace, "sluice", "upper")["spec"] == {"gates": 3, "river": "Rhine"}
        table = kubectl("get", "sl", "-n", namespace).stdout
        assert "GATES" in table and "3" in table
        assert "How many gates it has." in kubectl("explain", "sluice.spec.gates").stdout
        bad = kubectl("apply", *flags, "-n", namespace, "-f", "-", stdin=SLUICE.replace("gates: 3", "gates: 0"), check=False)
        assert bad.returncode == 1 and "spec.gates" in bad.stderr
        unknown = kubectl("apply", *flags, "-n", namespace, "-f", "-", stdin=SLUICE.replace("gates: 3", "gates: 3, gaets: 1"), check=False)
        assert unknown.returncode == 1 and "gaets" in unknown.stderr
    finally:
        kubectl("delete", "crd", "sluices.water.example.com")
    assert "sluices" not in kubectl("api-resources").stdout


def test_apply_changes_what_changed(namespace):
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1', b: '2'}\n"
    kubectl("apply", "-n", namespace, "-f", "-", stdin=config)
    assert "configured" in kubectl("apply", "-n", namespace, "-f", "-", stdin=config.replace(", b: '2'", "")).stdout
    assert get(namespace, "configmap", "c")["data"] == {"a": "1"}
    conflict = kubectl("apply", "--server-side", "--field-manager=other", "-n", namespace, "-f", "-", stdin=config.replace("'1'", "'9'"), check=False)
    assert conflict.returncode == 1 and "conflict" in conflict.stderr
    kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-n", namespace, "-f", "-", stdin=config.replace("'1'", "'9'"))
    assert get(namespace, "configmap", "c")["data"] == {"a": "9", "b": "2"}


def test_watch(namespace):
    command = [os.environ.get("KUBECTL", "kubectl"), "get", "configmaps", "-w", "-o", "name", "-n", namespace]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        seen = threading.Event()

        def read():
            for line in process.stdout:
                lines.append(line.strip())
                if "configmap/later" in lines:
                    seen.set()

        reader = threading.Thread(target=read)
        reader.start()
        deadline = time.monotonic() + 20
        while "configmap/kube-root-ca.crt" not in lines and time.monotonic() < deadline:
            time.sleep(0.05)
        kubectl("create", "configmap", "later", "-n", namespace)
        assert seen.wait(10)
        process.terminate()
        reader.join()


def test_wait_and_delete(namespace):
    kubectl("create", "configmap", "gone", "-n", namespace)
    deleter = threading.Timer(0.5, lambda: kubectl("delete", "configmap", "gone", "-n", namespace))
    deleter.start()
    kubectl("wait", "--for=delete", "configmap/gone", "-n", namespace, "--timeout=20s")
    deleter.join()


def test_failing_pod_tells_why(namespace):
    bad = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {containers: [{name: main, image: example.com/no/such:1}]}\n"
    kubectl("apply", "-n", namespace, "-f", "-", stdin=bad)
    kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}", "pod/bad", "-n", namespace, "--timeout=20s")
    deadline = time.monotonic() + 20
    while "Failed" not in (out := kubectl("describe", "pod", "bad", "-n", namespace).stdout) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "example.com/no/such:1" in out and "Pull" in out


def test_unschedulable_pod_tells_why(namespace):
    big = "apiVersion: v1\nkind: Pod\nmetadata: {name: big}\nspec: {containers: [{name: main, image: busybox, resources: {requests: {cpu: '4000'}}}]}\n"
    kubectl("apply", "-n", namespace, "-f", "-", stdin=big)
    kubectl("wait", "--for=condition=PodScheduled=False", "pod/big", "-n", namespace, "--timeout=20s")
    assert "Insufficient cpu" in kubectl("describe", "pod", "big", "-n", namespace).stdout


def test_strict_about_unknown_fields(namespace):
    bad = kubectl("apply", "-n", namespace, "-f", "-", stdin=POD.replace("restartPolicy", "restartPolice"), check=False)
    assert bad.returncode == 1 and 'unknown field "spec.restartPolice"' in bad.stderr
    wrong = kubectl("create", "-n", namespace, "-f", "-", stdin=JOB.replace("completions: 3", "completions: many"), check=False)
    assert wrong.returncode == 1 and "completions" in wrong.stderr


def test_explain():
    out = kubectl("explain", "job.spec").stdout
    assert "backoffLimit" in out and "completions" in out and "GROUP:" in out
    assert "FIELDS" in kubectl("explain", "pod.spec.containers").stdout


def test_dry_run_and_diff(namespace):
    assert "(server dry run)" in kubectl("apply", "--dry-run=server", "-n", namespace, "-f", "-", stdin=JOB).stdout
    assert get(namespace, "jobs")["items"] == []
    diff = kubectl("diff", "-n", namespace, "-f", "-", stdin=JOB, check=False)
    assert diff.returncode == 1 and "completionMode: Indexed" in diff.stdout


def test_access():
    assert kubectl("auth", "can-i", "create", "pods").stdout.strip() == "yes"
    denied = kubectl("auth", "can-i", "create", "pods", "--as=nobody", check=False)
    assert denied.stdout.strip() == "no"
    forbidden = kubectl("get", "secrets", "-A", "--as=nobody", check=False)
    assert forbidden.returncode == 1 and "Forbidden" in forbidden.stderr
    token = kubectl("create", "token", "default").stdout.strip()
    assert token.count(".") == 2


def test_label_annotate_patch_edit(namespace):
    kubectl("create", "configmap", "c", "--from-literal=a=1", "-n", namespace)
    kubectl("label", "configmap", "c", "team=blue", "-n", namespace)
    kubectl("annotate", "configmap", "c", "note=hello", "-n", namespace)
    kubectl("patch", "configmap", "c", "--type=json", "-p", '[{"op":"add","path":"/data/b","value":"2"}]', "-n", namespace)
    kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data":{"a":null}}', "-n", namespace)
    found = get(namespace, "configmap", "c")
    assert found["data"] == {"b": "2"}
    assert found["metadata"]["labels"] == {"team": "blue"}
    assert len(get(namespace, "configmaps", "-l", "team=blue")["items"]) == 1


def test_yaml_round_trip(namespace):
    kubectl("create", "configmap", "c", "--from-literal=a=1", "-n", namespace)
    manifest = yaml.safe_load(kubectl("get", "configmap", "c", "-n", namespace, "-o", "yaml").stdout)
    manifest["data"]["b"] = "2"
    assert "replaced" in kubectl("replace", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(manifest)).stdout


def test_namespace_deletion_removes_its_content():
    kubectl("create", "namespace", "doomed")
    kubectl("create", "configmap", "c", "-n", "doomed")
    kubectl("delete", "namespace", "doomed", "--timeout=30s")
    assert "not found" in kubectl("get", "configmap", "c", "-n", "doomed", check=False).stderr
