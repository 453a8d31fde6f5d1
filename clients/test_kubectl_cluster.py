"""kubectl asks about the cluster and its nodes as on any cluster."""

import json
import re

from conftest import eventually


def test_versions(cluster):
    version = json.loads(cluster("version -o json"))["serverVersion"]
    assert version["major"] == "1" and version["gitVersion"].startswith(f"v1.{version['minor']}.")
    assert "Kubernetes control plane is running at https://" in re.sub(r"\x1b\[[\d;]*m", "", cluster("cluster-info"))
    assert cluster("get --raw /healthz") == "ok"
    assert cluster("get --raw /readyz?verbose").endswith("readyz check passed\n")
    assert "apiserver_request_total" in cluster("get --raw /metrics")


def test_discovery(cluster):
    versions = cluster("api-versions").split()
    assert {"v1", "apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"} <= set(versions)
    wide = cluster("api-resources -o wide")
    assert any(line.split()[:5] == ["deployments", "deploy", "apps/v1", "true", "Deployment"] for line in wide.splitlines())
    assert "customresourcedefinitions.apiextensions.k8s.io" in cluster("api-resources --namespaced=false -o name")
    assert "pods" not in cluster("api-resources --api-group=apps -o name").split()


def test_explain(cluster):
    job = cluster("explain job.spec")
    assert "GROUP:      batch" in job and "backoffLimit" in job and "FIELDS:" in job
    assert "<[]Container> -required-" in cluster("explain pod.spec")
    recursive = cluster("explain deployment --recursive")
    assert "maxSurge\t<IntOrString>" in recursive
    assert 'field "nonsense" does not exist' in cluster.fails("explain pod.nonsense")


def test_nodes(cluster):
    assert all(text in cluster("get ns,pods,nodes -A") for text in ["namespace/default", "namespace/kube-system", "node/", "Ready"])
    header, row, *_ = cluster("get nodes -o wide").splitlines()
    assert header.split()[:6] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP"]
    name = row.split()[0]
    assert row.split()[1] == "Ready"
    assert row.split()[4].split("+")[0] == json.loads(cluster("version -o json"))["serverVersion"]["gitVersion"]
    described = cluster(f"describe node {name}")
    for text in ["Capacity:", "Allocatable:", "Non-terminated Pods:", "KubeletReady", f"HolderIdentity:  {name}"]:
        assert text in described
    assert cluster(f"get lease -n kube-node-lease {name}").splitlines()[1].split()[1] == name


def test_there_are_no_metrics(cluster):
    assert cluster.fails("top nodes") == "error: Metrics API not available\n"
    assert cluster.fails("top pods") == "error: Metrics API not available\n"


def test_maintenance_of_a_node(cluster, kubectl, unique):
    """On a node that no machine stands behind, and that no other pod tolerates."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": unique}, "spec": {"taints": [{"key": "only", "value": "test", "effect": "NoSchedule"}]}}
    cluster("create -f -", json.dumps(node))
    try:
        assert cluster(f"cordon {unique}") == f"node/{unique} cordoned\n"
        assert "SchedulingDisabled" in cluster(f"get node {unique}")
        assert cluster(f"uncordon {unique}") == f"node/{unique} uncordoned\n"
        assert cluster(f"taint node {unique} more=less:PreferNoSchedule") == f"node/{unique} tainted\n"
        assert "more=less:PreferNoSchedule" in cluster(f"describe node {unique}")
        assert cluster(f"taint node {unique} more-") == f"node/{unique} untainted\n"
        cluster(f"label node {unique} node-role.kubernetes.io/worker=")
        assert cluster(f"get node {unique}").splitlines()[1].split()[2] == "worker"
        kubectl(f"""run guest --image=busybox --overrides='{{"spec":{{"nodeName":"{unique}"}}}}'""")
        refused = cluster.fails(f"drain {unique}")
        assert "cannot delete" in refused and f"{kubectl.namespace}/guest" in refused
        drained = cluster(f"drain {unique} --force --grace-period=0 --timeout=60s")
        assert f"node/{unique} drained" in drained
        eventually(lambda: kubectl.names("pods") == [])
    finally:
        cluster(f"delete node {unique}")
