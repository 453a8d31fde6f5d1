"""The Python `kubernetes` client against a running Sluice."""

import threading

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward, stream

from conftest import Kubectl, eventually
from own_sluice import OwnSluice

SLEEPER = {
    "metadata": {"name": "sleeper", "labels": {"app": "sleeper"}},
    "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "600"]}]},
}


@pytest.fixture
def api() -> client.ApiClient:
    return config.new_client_from_config()


@pytest.fixture
def core(api) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def sleeper(core, kubectl: Kubectl) -> str:
    """A running pod; its namespace."""
    core.create_namespaced_pod(kubectl.namespace, SLEEPER)
    kubectl("wait --for=condition=Ready pod/sleeper --timeout=60s")
    return kubectl.namespace


def config_map(name: str, **data: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"made": "here"}), data=data)


def test_typed_objects(core, kubectl):
    ns = kubectl.namespace
    created = core.create_namespaced_config_map(ns, config_map("c", a="1"))
    assert created.metadata.uid and created.metadata.creation_timestamp.tzinfo
    with pytest.raises(ApiException) as conflict:
        core.create_namespaced_config_map(ns, config_map("c"))
    assert conflict.value.status == 409 and "AlreadyExists" in conflict.value.body
    created.data["b"] = "2"
    replaced = core.replace_namespaced_config_map("c", ns, created)
    assert replaced.data == {"a": "1", "b": "2"} and replaced.metadata.resource_version != created.metadata.resource_version
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("c", ns, created)
    assert stale.value.status == 409 and stale.value.reason == "Conflict"
    assert [item.metadata.name for item in core.list_namespaced_config_map(ns, label_selector="made=here").items] == ["c"]
    pages = core.list_namespaced_config_map(ns, limit=1)
    assert pages.metadata._continue and pages.metadata.remaining_item_count == 1
    assert core.list_namespaced_config_map(ns, limit=1, _continue=pages.metadata._continue).metadata._continue is None
    deleted = core.delete_namespaced_config_map("c", ns, body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=created.metadata.uid)))
    assert deleted.status == "Success"
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_config_map("c", ns)
    assert missing.value.status == 404


def test_patches(api, core, kubectl):
    ns = kubectl.namespace
    core.create_namespaced_pod(ns, {**SLEEPER, "spec": {**SLEEPER["spec"], "schedulingGates": [{"name": "example.com/wait"}]}})
    assert core.patch_namespaced_pod("sleeper", ns, {"metadata": {"labels": {"more": "yes"}}}).metadata.labels == {"app": "sleeper", "more": "yes"}
    patched = core.patch_namespaced_pod("sleeper", ns, [{"op": "remove", "path": "/metadata/labels/more"}])
    assert patched.metadata.labels == {"app": "sleeper"}
    patched = core.patch_namespaced_pod("sleeper", ns, {"spec": {"containers": [{"name": "main", "image": "alpine"}]}})
    assert [(c.image, c.command) for c in patched.spec.containers] == [("alpine", ["sleep", "600"])]
    applied = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap").server_side_apply(
        namespace=ns, name="applied", body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}, field_manager="python"
    )
    assert [entry.manager for entry in applied.metadata.managedFields] == ["python"]
    status = core.patch_namespaced_pod_status("sleeper", ns, {"status": {"conditions": [{"type": "example.com/Seen", "status": "True"}]}}).status
    assert "example.com/Seen" in {condition.type for condition in status.conditions}


def test_dynamic_objects(api, kubectl):
    found = dynamic.DynamicClient(api)
    deployments = found.resources.get(api_version="apps/v1", kind="Deployment")
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": SLEEPER["spec"]},
        },
    }
    deployments.create(body=body, namespace=kubectl.namespace)
    for event in deployments.watch(namespace=kubectl.namespace, timeout=60):
        if event["object"].status.availableReplicas == 1:
            break
    else:
        raise AssertionError("the Deployment has not become available")
    deployments.patch(body={"spec": {"replicas": 2}}, name="web", namespace=kubectl.namespace, content_type="application/merge-patch+json")
    assert deployments.get(name="web", namespace=kubectl.namespace).spec.replicas == 2
    assert found.resources.get(api_version="v1", kind="Pod").get(namespace=kubectl.namespace, label_selector="app=web").items
    deployments.delete(name="web", namespace=kubectl.namespace, body={"propagationPolicy": "Foreground"})
    eventually(lambda: deployments.get(namespace=kubectl.namespace).items == [])


def test_watch(core, kubectl):
    ns = kubectl.namespace
    start = core.list_namespaced_config_map(ns).metadata.resource_version
    core.create_namespaced_config_map(ns, config_map("c", a="1"))
    core.patch_namespaced_config_map("c", ns, {"data": {"a": "2"}})
    core.delete_namespaced_config_map("c", ns)
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_config_map, ns, resource_version=start, timeout_seconds=30):
        seen.append((event["type"], event["object"].metadata.name, event["object"].data))
        if event["type"] == "DELETED":
            break
    assert seen == [("ADDED", "c", {"a": "1"}), ("MODIFIED", "c", {"a": "2"}), ("DELETED", "c", {"a": "2"})]
    left = [event["type"] for event in watch.Watch().stream(core.list_namespaced_config_map, ns, resource_version=start, timeout_seconds=1)]
    assert left == ["ADDED", "MODIFIED", "DELETED"]


def test_exec(core, sleeper):
    said = stream(core.connect_get_namespaced_pod_exec, "sleeper", sleeper, command=["echo", "hello"], stdout=True, stderr=True)
    assert said == "hello\n"
    shell = stream(
        core.connect_get_namespaced_pod_exec, "sleeper", sleeper, command=["sh", "-c", "read a; echo got $a; echo bad >&2; exit 3"],
        stdin=True, stdout=True, stderr=True, _preload_content=False,
    )
    shell.write_stdin("this\n")
    shell.run_forever(timeout=30)
    assert (shell.read_stdout(), shell.read_stderr(), shell.returncode) == ("got this\n", "bad\n", 3)
    binary = stream(
        core.connect_get_namespaced_pod_exec, "sleeper", sleeper, command=["head", "-c", "256", "/dev/zero"], stdout=True, stderr=True, binary=True,
    )
    assert binary == bytes(256)
    with pytest.raises(ApiException) as missing:
        stream(core.connect_get_namespaced_pod_exec, "nobody", sleeper, command=["true"], stdout=True)
    assert "404" in str(missing.value)


def test_exec_in_a_terminal(core, sleeper):
    terminal = stream(
        core.connect_get_namespaced_pod_exec, "sleeper", sleeper, command=["sh"], stdin=True, stdout=True, tty=True, _preload_content=False,
    )
    terminal.write_channel(4, '{"Height":33,"Width":77}')
    terminal.write_stdin("until [ \"$(stty size)\" = '33 77' ]; do :; done; echo sized=$((1+1))\n")
    output = ""
    while "sized=2" not in output:
        assert terminal.is_open(), output
        terminal.update(timeout=10)
        output += terminal.read_stdout(timeout=0)
    terminal.write_stdin("exit 9\n")
    terminal.run_forever(timeout=30)
    assert terminal.returncode == 9


def test_port_forward(core, kubectl):
    script = "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
    container = {"name": "main", "image": "python:3", "command": ["python3", "-c", script], "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    core.create_namespaced_pod(kubectl.namespace, {"metadata": {"name": "web"}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}})
    kubectl("wait --for=condition=Ready pod/web --timeout=60s")
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", kubectl.namespace, ports="8080,9999")
    connection = forward.socket(8080)
    connection.setblocking(True)
    connection.settimeout(30)
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while data := connection.recv(4096):
        answer += data
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert forward.error(8080) is None
    eventually(lambda: "9999" in (forward.error(9999) or ""))
    forward.close()


def test_logs(core, kubectl):
    ns = kubectl.namespace
    command = ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.2; done"]
    core.create_namespaced_pod(ns, {"metadata": {"name": "logs"}, "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "command": command}]}})
    kubectl("wait --for=jsonpath='{.status.containerStatuses[0].started}' pod/logs --timeout=60s")
    assert list(watch.Watch().stream(core.read_namespaced_pod_log, "logs", ns, follow=True)) == ["line 1", "line 2", "line 3"]
    assert core.read_namespaced_pod_log("logs", ns, tail_lines=1) == "line 3\n"


def test_impersonation_and_tokens(api, core, kubectl):
    ns = kubectl.namespace
    api.set_default_header("Impersonate-User", "jane")
    with pytest.raises(ApiException) as forbidden:
        core.list_namespaced_secret(ns)
    assert forbidden.value.status == 403 and 'User \\"jane\\" cannot list resource \\"secrets\\"' in forbidden.value.body
    del api.default_headers["Impersonate-User"]

    kubectl(f"create rolebinding view --clusterrole=view --serviceaccount={ns}:default")
    token = core.create_namespaced_service_account_token("default", ns, client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)))
    settings = client.Configuration()
    settings.host, settings.ssl_ca_cert = api.configuration.host, api.configuration.ssl_ca_cert
    settings.api_key = {"authorization": f"Bearer {token.status.token}"}
    with client.ApiClient(settings) as as_account:
        assert client.CoreV1Api(as_account).list_namespaced_config_map(ns).items
        with pytest.raises(ApiException) as refused:
            client.CoreV1Api(as_account).create_namespaced_config_map(ns, config_map("c"))
        assert refused.value.status == 403
        me = client.AuthenticationV1Api(as_account).create_self_subject_review({}).status.user_info
        assert me.username == f"system:serviceaccount:{ns}:default"


class Informer(threading.Thread):
    """Lists once and then only watches, as controllers do: what it has heard, in order."""

    def __init__(self, api: client.ApiClient):
        super().__init__(daemon=True)
        self.core = client.CoreV1Api(api)
        first = self.core.list_namespaced_config_map("default", label_selector="made=here")
        self.revision = first.metadata.resource_version
        self.heard: list[tuple[str, str, str]] = []
        self.reconnects = 0
        self.gone: ApiException | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                events = watch.Watch().stream(
                    self.core.list_namespaced_config_map, "default", label_selector="made=here", resource_version=self.revision,
                    timeout_seconds=60, allow_watch_bookmarks=True,
                )
                for event in events:
                    self.revision = event["raw_object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self.heard.append((event["type"], event["raw_object"]["metadata"]["name"], event["raw_object"]["data"]["n"]))
            except ApiException as error:
                if error.status == 410:
                    self.gone = error
                    return
                self.stopped.wait(0.1)
            except Exception:  # The server is away: any of urllib3's many errors.
                self.reconnects += 1
                self.stopped.wait(0.1)


def test_watches_go_on_where_they_were_when_the_server_restarts(tmp_path):
    sluice = OwnSluice(tmp_path)
    try:
        sluice.up()
        api = config.new_client_from_config(sluice.kubeconfig)
        core = client.CoreV1Api(api)
        informer = Informer(api)
        informer.start()
        expected = []
        for round in range(3):
            name = f"c{round}"
            core.create_namespaced_config_map("default", config_map(name, n="0"))
            core.patch_namespaced_config_map(name, "default", {"data": {"n": "1"}})
            expected += [("ADDED", name, "0"), ("MODIFIED", name, "1")]
            if round == 1:
                core.delete_namespaced_config_map("c0", "default")
                expected.append(("DELETED", "c0", "1"))
            eventually(lambda: len(informer.heard) == len(expected))
            sluice.down()
            sluice.up()
        core.delete_namespaced_config_map("c2", "default")
        expected.append(("DELETED", "c2", "1"))
        eventually(lambda: len(informer.heard) >= len(expected) or informer.gone)
        assert informer.gone is None
        assert informer.heard == expected
        assert informer.reconnects > 0
        informer.stopped.set()
        with pytest.raises(ApiException) as gone:
            for _ in watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version="1", timeout_seconds=20):
                raise AssertionError("what was before the restart is gone")
        assert gone.value.status == 410
        assert [item.metadata.name for item in core.list_namespaced_config_map("default", label_selector="made=here").items] == ["c1"]
    finally:
        sluice.down()
