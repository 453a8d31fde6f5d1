"""kubectl runs workloads as on any cluster."""

import pytest

from conftest import eventually

LOOP = """sh -c 'echo up; trap "exit 0" TERM; while true; do sleep 0.1; done'"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: count}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: busybox, command: [sh, -c, 'echo "index $JOB_COMPLETION_INDEX"']}
"""

# Serves its own name, also that of all pods that have used its volume, at port 8080.
SERVER = """
import http.server, pathlib, socket
name = socket.gethostname()
used = pathlib.Path("/data/used")
used.write_text((used.read_text() if used.exists() else "") + name + "\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(used.read_bytes() if self.path == "/used" else name.encode())
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

STATEFUL = """
apiVersion: v1
kind: ConfigMap
metadata: {name: server}
data:
  server.py: |%s
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 8080, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {selector: {app: db}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: python:3
        command: [python3, /code/server.py]
        ports: [{containerPort: 8080, name: http}]
        readinessProbe: {httpGet: {port: http}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}, {name: code, mountPath: /code}]
      volumes: [{name: code, configMap: {name: server}}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
""" % SERVER.replace("\n", "\n    ")


def pods(kubectl, selector: str) -> list[str]:
    return kubectl.names(f"pods -l {selector}")


def test_deployment_from_create_to_delete(kubectl):
    assert kubectl(f"create deployment web --image=busybox --replicas=2 -- {LOOP}") == "deployment.apps/web created\n"
    assert 'deployment "web" successfully rolled out' in kubectl("rollout status deployment/web --timeout=60s")
    header, row = kubectl("get deployment web -o wide").splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert row.split()[:4] == ["web", "2/2", "2", "2"] and row.split()[-1] == "app=web"
    described = kubectl("describe deployment web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    assert "Scaled up replica set web-" in described and "MinimumReplicasAvailable" in described
    assert kubectl("exec deployment/web -- hostname").startswith("web-")
    assert kubectl("logs deployment/web").splitlines()[-1] == "up"
    everything = kubectl("get all")
    assert all(kind in everything for kind in ["pod/web-", "deployment.apps/web", "replicaset.apps/web-"])
    assert "Scaled up replica set" in kubectl("events --for deployment/web")
    assert kubectl("scale deployment web --replicas=3 --current-replicas=2") == "deployment.apps/web scaled\n"
    assert kubectl.fails("scale deployment web --replicas=1 --current-replicas=2") == "error: Expected replicas to be 2, was 3\n"
    kubectl("wait --for=jsonpath='{.status.readyReplicas}'=3 deployment/web --timeout=60s")
    kubectl("delete deployment web")
    kubectl("wait --for=delete pod -l app=web --timeout=60s")
    assert kubectl.names("replicasets") == []


def test_rollouts(kubectl):
    kubectl(f"create deployment web --image=busybox -- {LOOP}")
    kubectl("rollout status deployment/web --timeout=60s")
    kubectl("set env deployment/web COLOUR=blue")
    kubectl("""annotate deployment/web kubernetes.io/change-cause='paint it blue'""")
    assert "successfully rolled out" in kubectl("rollout status deployment/web --timeout=60s")
    assert "COLOUR=blue" in kubectl("set env deployment/web --list")
    kubectl("set image deployment/web busybox=alpine")
    kubectl("rollout status deployment/web --timeout=60s")
    history = [line.split(None, 1) for line in kubectl("rollout history deployment/web").splitlines()[2:] if line]
    assert [revision for revision, _ in history] == ["1", "2", "3"]
    assert "paint it blue" in history[1][1]
    assert "alpine" in kubectl("rollout history deployment/web --revision=3")
    assert kubectl("rollout undo deployment/web --to-revision=1") == "deployment.apps/web rolled back\n"
    kubectl("rollout status deployment/web --timeout=60s")
    container = kubectl.get("deployment web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "busybox" and "env" not in container
    assert "paused" in kubectl("rollout pause deployment/web")
    kubectl("set resources deployment/web --limits=memory=64Mi")
    before = pods(kubectl, "app=web")
    assert "can't restart paused deployment" in kubectl.fails("rollout restart deployment/web")
    assert "resumed" in kubectl("rollout resume deployment/web")
    kubectl("rollout status deployment/web --timeout=60s")
    eventually(lambda: len(pods(kubectl, "app=web")) == 1 and pods(kubectl, "app=web") != before)
    assert "restarted" in kubectl("rollout restart deployment/web")
    kubectl("rollout status deployment/web --timeout=60s")
    assert "kubectl.kubernetes.io/restartedAt" in kubectl.get("deployment web")["spec"]["template"]["metadata"]["annotations"]


def test_a_rollout_that_cannot_go_on(kubectl):
    kubectl(f"create deployment web --image=busybox -- {LOOP}")
    kubectl("rollout status deployment/web --timeout=60s")
    kubectl("set image deployment/web busybox=example.com/no/such:1")
    said = kubectl.fails("rollout status deployment/web --timeout=2s")
    assert "timed out waiting" in said or "1 old replicas are pending termination" in said
    assert kubectl.get("deployment web")["status"]["availableReplicas"] == 1
    kubectl("rollout undo deployment/web")
    assert "successfully rolled out" in kubectl("rollout status deployment/web --timeout=60s")


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_delete_cascades(kubectl, cascade):
    kubectl(f"create deployment web --image=busybox -- {LOOP}")
    kubectl("rollout status deployment/web --timeout=60s")
    (pod,) = pods(kubectl, "app=web")
    kubectl(f"delete deployment web --cascade={cascade} --timeout=60s")
    assert kubectl.names("deployments") == []
    if cascade == "orphan":
        (replica_set,) = kubectl.names("replicasets")
        assert "ownerReferences" not in kubectl.get(replica_set)["metadata"]
        assert pods(kubectl, "app=web") == [pod]
    elif cascade == "foreground":
        assert kubectl.names("replicasets,pods") == []
    else:
        kubectl(f"wait --for=delete {pod} --timeout=60s")


@pytest.mark.parametrize("side", ["", "--server-side"], ids=["client-side", "server-side"])
def test_job(kubectl, side):
    kubectl(f"apply {side} -f -", JOB)
    assert "job.batch/count condition met" in kubectl("wait --for=condition=complete job/count --timeout=60s")
    status = kubectl.get("job count")["status"]
    assert status["succeeded"] == 3 and status["completedIndexes"] == "0-2"
    assert sorted(kubectl("logs -l job-name=count").splitlines()) == ["index 0", "index 1", "index 2"]
    row = kubectl("get job count").splitlines()[1].split()
    assert row[:3] == ["count", "Complete", "3/3"]
    described = kubectl("describe job count")
    assert "0 Active (0 Ready) / 3 Succeeded / 0 Failed" in described and "Job completed" in described
    kubectl("delete job count")
    kubectl("wait --for=delete pod -l job-name=count --timeout=60s")
    assert kubectl.names("pods") == []


def test_create_job_and_cron_job(kubectl):
    kubectl("create job once --image=busybox -- sh -c 'echo made; exit 3'")
    kubectl("""patch job once -p '{"spec":{"backoffLimit":0}}'""")
    kubectl("wait --for=condition=failed job/once --timeout=60s")
    assert "BackoffLimitExceeded" in kubectl("describe job once")
    assert kubectl("logs job/once") == "made\n"
    kubectl("create cronjob tick --image=busybox --schedule='0 0 * * *' -- echo tock")
    assert kubectl("get cronjob tick").splitlines()[1].split()[:8] == ["tick", "0", "0", "*", "*", "*", "<none>", "False"]
    kubectl("create job --from=cronjob/tick now")
    kubectl("wait --for=condition=complete job/now --timeout=60s")
    assert kubectl("logs job/now") == "tock\n"


def test_stateful_set_with_volumes_and_services(kubectl):
    kubectl("apply -f -", STATEFUL)
    assert "2 new pods" in kubectl("rollout status statefulset/db --timeout=90s")
    assert pods(kubectl, "app=db") == ["pod/db-0", "pod/db-1"]
    assert "2 Running / 0 Waiting / 0 Succeeded / 0 Failed" in kubectl("describe statefulset db")
    claims = [row.split() for row in kubectl("get pvc --no-headers").splitlines()]
    assert [(row[0], row[1], row[3], row[4]) for row in claims] == [("data-db-0", "Bound", "1Mi", "RWO"), ("data-db-1", "Bound", "1Mi", "RWO")]
    assert "Used By:       db-0" in kubectl("describe pvc data-db-0")
    described = kubectl("describe service front")
    assert described.count(":8080") == 2 and "TargetPort:               http/TCP" in described
    assert kubectl("get endpoints front").splitlines()[1].count(":8080") == 2

    fetch = "import urllib.request as r; print(r.urlopen('http://%s', timeout=10).read().decode().strip())"
    ask = lambda address: kubectl(f'exec db-0 -- python3 -c "{fetch % address}"').strip()  # noqa: E731
    for address in ["db-1.db:8080", f"db-1.db.{kubectl.namespace}.svc.cluster.local:8080"]:
        assert ask(address) == "db-1"
    address = kubectl.get("service front")["spec"]["clusterIP"]
    for service in ["front", f"front.{kubectl.namespace}", address]:
        assert ask(service) in ("db-0", "db-1")

    kubectl("delete pod db-1")
    kubectl("wait --for=create pod/db-1 --timeout=30s")
    kubectl("wait --for=condition=Ready pod/db-1 --timeout=60s")
    assert ask("db-1.db:8080/used").split() == ["db-1", "db-1"]
    kubectl("scale statefulset db --replicas=1")
    kubectl("wait --for=delete pod/db-1 --timeout=60s")
    kubectl("delete statefulset db --cascade=foreground")
    assert pods(kubectl, "app=db") == []
    assert len(kubectl.names("pvc")) == 2
    volume = kubectl.get("pvc data-db-0")["spec"]["volumeName"]
    kubectl("delete pvc --all")
    kubectl(f"wait --for=delete pv/{volume} --timeout=30s")


def test_a_claim_waits_for_its_first_pod_and_outlives_its_use(kubectl):
    kubectl("apply -f -", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n")
    eventually(lambda: "waiting for first consumer to be created before binding" in kubectl("describe pvc data"))
    overrides = """{"spec":{"terminationGracePeriodSeconds":1,"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}],
      "containers":[{"name":"writer","image":"busybox","command":["sleep","600"],"volumeMounts":[{"name":"d","mountPath":"/d"}]}]}}"""
    kubectl(f"run writer --image=busybox --overrides='{overrides}'")
    kubectl("wait --for=condition=Ready pod/writer --timeout=60s")
    assert kubectl.get("pvc data")["status"]["phase"] == "Bound"
    kubectl("delete pvc data --wait=false")
    assert "Terminating" in kubectl("get pvc data")
    kubectl("delete pod writer")
    kubectl("wait --for=delete pvc/data --timeout=30s")


def test_expose(kubectl):
    kubectl(f"create deployment web --image=busybox -- {LOOP}")
    assert kubectl("expose deployment web --port=80 --target-port=8080") == "service/web exposed\n"
    assert kubectl.get("service web")["spec"]["selector"] == {"app": "web"}
    kubectl("expose deployment web --name=outside --port=80 --type=NodePort")
    port = kubectl.get("service outside")["spec"]["ports"][0]["nodePort"]
    assert f"80:{port}/TCP" in kubectl("get service outside")
    assert "provided port is already allocated" in kubectl.fails(f"create service nodeport second --tcp=80 --node-port={port}")
    kubectl("expose deployment web --name=balanced --port=80 --type=LoadBalancer")
    assert kubectl("get service balanced").splitlines()[1].split()[3] == "<pending>"
    kubectl("create service clusterip plain --tcp=5678:8080")
    assert kubectl("get service plain").splitlines()[1].split()[4] == "5678/TCP"
    assert "is invalid: spec.clusterIPs[0]" in kubectl.fails("""patch service plain --type=merge -p '{"spec":{"clusterIP":"10.96.0.99"}}'""")


def test_other_kinds_have_their_columns(kubectl):
    kubectl(f"create deployment web --image=busybox --replicas=0 -- {LOOP}")
    kubectl("create ingress front --class=nginx --rule='example.com/*=web:80,tls=cert'")
    assert kubectl("get ingress").splitlines()[1].split()[:4] == ["front", "nginx", "example.com", "80,"]
    kubectl("create poddisruptionbudget keep --selector=app=web --min-available=1")
    assert kubectl("get pdb").splitlines()[1].split()[:4] == ["keep", "1", "N/A", "0"]
    kubectl("create -f -", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed}\nspec: {podSelector: {matchLabels: {app: web}}}\n")
    assert kubectl("get networkpolicy").splitlines()[1].split()[:2] == ["closed", "app=web"]
