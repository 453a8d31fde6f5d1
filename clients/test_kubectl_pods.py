"""kubectl looks into pods, runs in them and talks with them as on any cluster."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time
import urllib.request

import pytest

from conftest import eventually

POD = """
apiVersion: v1
kind: Pod
metadata: {name: hello}
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

WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: python:3
    command: [sh, -c, 'mkdir -p /tmp/www && echo served > /tmp/www/page && exec python3 -m http.server 8080 --directory /tmp/www']
    ports: [{containerPort: 8080, name: http}]
    readinessProbe: {httpGet: {port: http, path: /page}, periodSeconds: 1}
"""


@pytest.fixture
def sleeper(kubectl):
    """A pod of two containers that does nothing."""
    spec = """{"spec":{"terminationGracePeriodSeconds":1,"containers":[
      {"name":"main","image":"busybox","command":["sleep","600"]},{"name":"side","image":"busybox","command":["sleep","600"]}]}}"""
    kubectl(f"run sleeper --image=busybox --overrides='{spec}'")
    kubectl("wait --for=condition=Ready pod/sleeper --timeout=60s")
    return kubectl


@contextlib.contextmanager
def terminal(kubectl, command: str, rows: int = 30, columns: int = 100):
    """A command in a terminal: what it writes, read until a pattern appears."""
    main, child = pty.openpty()
    resize(main, rows, columns)
    process = subprocess.Popen(kubectl.argv(command), stdin=child, stdout=child, stderr=child, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(child)
    seen = ""

    def expect(pattern: str) -> str:
        nonlocal seen
        while not (match := re.search(pattern, seen)):
            try:
                read = os.read(main, 4096)
            except OSError:
                read = b""
            assert read, f"{pattern!r} is not in {seen!r}"
            seen += read.decode(errors="replace")
        seen = seen[match.end():]
        return match.group(0)

    try:
        yield main, expect, process
    finally:
        process.kill()
        process.wait()
        os.close(main)


def resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextlib.contextmanager
def forwarded(kubectl, target: str):
    with kubectl.running(f"port-forward {target}") as process:
        port = int(re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> ", process.stdout.readline()).group(1))
        yield f"http://127.0.0.1:{port}"


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


@pytest.mark.parametrize("side", ["", "--server-side"], ids=["client-side", "server-side"])
def test_a_pod_from_apply_to_delete(kubectl, side):
    kubectl("create configmap greetings --from-literal=greeting='good morning'")
    kubectl(f"apply {side} -f -", POD)
    kubectl("wait --for=jsonpath='{.status.containerStatuses[0].started}' pod/hello --timeout=60s")
    assert kubectl("logs -f hello").splitlines() == ["hello from hello", "good morning", "bye"]
    kubectl("wait --for=jsonpath='{.status.phase}'=Succeeded pod/hello --timeout=30s")
    row = kubectl("get pod hello -o wide").splitlines()[1].split()
    assert row[:4] == ["hello", "0/1", "Completed", "0"]
    described = kubectl("describe pod hello")
    for expected in ["Status:           Succeeded", "Exit Code:    0", "Successfully assigned", "Started container main", "config:", "ConfigMap (a volume"]:
        assert expected in described
    before = kubectl.get("pod hello")
    kubectl(f"apply {side} -f -", POD)
    assert kubectl.get("pod hello") == before
    assert "pod updates may not change fields" in kubectl.fails(f"apply {side} -f -", POD.replace("echo bye", "echo no"))
    assert kubectl("delete pod hello").startswith('pod "hello" deleted')


def test_run(kubectl):
    result = kubectl.run("run once --image=busybox --restart=Never --rm -i --command -- sh -c 'read line; echo got $line; exit 3'", "typed\n")
    assert result.returncode == 3 and "got typed" in result.stdout and 'pod "once" deleted' in result.stdout
    assert kubectl("run plain --image=busybox --env=A=b --labels=tier=back --restart=Never --command -- sh -c 'echo $A'") == "pod/plain created\n"
    kubectl("wait --for=jsonpath='{.status.phase}'=Succeeded pod/plain --timeout=60s")
    assert kubectl("logs -l tier=back") == "b\n"
    rendered = kubectl("run shown --image=busybox --port=80 --dry-run=client -o yaml")
    assert "containerPort: 80" in rendered


def test_run_in_a_terminal(kubectl):
    with terminal(kubectl, "run shell -it --rm --restart=Never --image=busybox --command -- sh") as (keyboard, expect, process):
        expect("press enter|[#$] ")
        os.write(keyboard, b"tty && echo ends=$((40+2))\n")
        expect("/dev/")
        expect("ends=42")
        os.write(keyboard, b"exit 4\n")
        expect('pod "shell" deleted')
        assert process.wait(30) == 4


def test_exec(sleeper):
    kubectl = sleeper
    assert kubectl("exec sleeper -- echo 'two words'") == "two words\n"
    assert kubectl("exec pod/sleeper -c side -- hostname") == "sleeper\n"
    result = kubectl.run("exec sleeper -- sh -c 'echo out; echo err >&2; exit 5'")
    assert (result.returncode, result.stdout) == (5, "out\n")
    assert result.stderr.splitlines()[-2:] == ["err", "command terminated with exit code 5"]
    assert "Defaulted container \"main\" out of: main, side" in result.stderr
    large = "x" * 100_000 + "\n"
    assert kubectl("exec -i sleeper -- cat", large * 10) == large * 10
    assert kubectl("exec -i sleeper -- wc -c", "12345").strip() == "5"
    assert "no-such-program" in kubectl.fails("exec sleeper -- no-such-program", code=127)
    assert "container nope is not valid for pod sleeper" in kubectl.fails("exec sleeper -c nope -- true")
    assert 'pods "nobody" not found' in kubectl.fails("exec nobody -- true")


def test_exec_in_a_terminal(sleeper):
    with terminal(sleeper, "exec -it sleeper -- sh", rows=31, columns=107) as (keyboard, expect, process):
        expect("[#$] ")
        os.write(keyboard, b"stty size\n")
        expect("31 107")
        resize(keyboard, 20, 60)
        os.kill(process.pid, 28)  # SIGWINCH
        os.write(keyboard, b"until [ \"$(stty size)\" = '20 60' ]; do :; done; echo smaller=$((1+1))\n")
        expect("smaller=2")
        os.write(keyboard, b"sh -c 'trap \"exit 9\" INT; echo sleeping=$((2+1)); while true; do sleep 0.1; done'\n")
        expect("sleeping=3")
        os.write(keyboard, b"\x03")
        os.write(keyboard, b"echo interrupted=$?\n")
        expect("interrupted=9")
        os.write(keyboard, b"exit 7\n")
        expect("exit code 7")
        assert process.wait(30) == 7


def test_cp(sleeper, tmp_path):
    kubectl = sleeper
    (tmp_path / "there/sub").mkdir(parents=True)
    (tmp_path / "there/one").write_text("1")
    (tmp_path / "there/sub/two").write_bytes(bytes(range(256)) * 1000)
    kubectl(f"cp {tmp_path}/there sleeper:/tmp/there -c side")
    assert sorted(kubectl("exec sleeper -c side -- find /tmp/there -type f").split()) == ["/tmp/there/one", "/tmp/there/sub/two"]
    kubectl(f"cp sleeper:/tmp/there {tmp_path}/back -c side")
    assert (tmp_path / "back/sub/two").read_bytes() == (tmp_path / "there/sub/two").read_bytes()
    kubectl(f"cp sleeper:tmp/there/one {tmp_path}/one -c side")
    assert (tmp_path / "one").read_text() == "1"
    assert "No such file" in kubectl.run(f"cp sleeper:/tmp/nothing {tmp_path}/nothing -c side").stdout


def test_debug_a_copy(sleeper):
    kubectl = sleeper
    kubectl("debug sleeper --copy-to=copy --image=busybox --container=probe --profile=general -- sh -c 'echo debugging; sleep 600'")
    assert eventually(lambda: kubectl.run("logs copy -c probe").stdout) == "debugging\n"
    kubectl("debug sleeper --copy-to=changed --set-image='side=alpine' --profile=general")
    assert kubectl("get pod changed -o jsonpath='{.spec.containers[*].image}'") == "busybox alpine"


def test_attach(kubectl):
    kubectl("run echo --image=busybox -i --attach=false --restart=Never --command -- sh -c 'while read line; do echo got $line; [ $line = end ] && exit 0; done'")
    kubectl("wait --for=condition=Ready pod/echo --timeout=60s")
    result = kubectl.run("attach -i echo", "one\nend\n")
    assert result.returncode == 0 and "got end" in result.stdout


def test_port_forward(kubectl):
    kubectl("apply -f -", WEB)
    kubectl("wait --for=condition=Ready pod/web --timeout=60s")
    kubectl("expose pod web --port=80 --target-port=http")
    eventually(lambda: ":8080" in kubectl("get endpoints web"))
    for target in ["pod/web :8080", "service/web :80", "pod/web :http"]:
        with forwarded(kubectl, target) as url:
            assert [fetch(f"{url}/page") for _ in range(3)] == ["served\n"] * 3
    with forwarded(kubectl, "pod/web :9999") as url, pytest.raises(OSError):
        fetch(url)
    with kubectl.running("proxy --port=0") as process:
        port = re.search(r":(\d+)$", process.stdout.readline().strip()).group(1)
        root = f"http://127.0.0.1:{port}/api/v1/namespaces/{kubectl.namespace}"
        assert json.loads(fetch(f"{root}/pods/web"))["kind"] == "Pod"
        assert fetch(f"{root}/pods/web:8080/proxy/page") == "served\n"
        assert fetch(f"{root}/services/web/proxy/page") == "served\n"


def test_logs(kubectl):
    script = "for i in 1 2 3; do echo line $i; done; sleep 1; echo last"
    for name in ["one", "two"]:
        kubectl(f"run {name} --image=busybox --labels=app=logs --restart=Never --command -- sh -c '{script}'")
        kubectl(f"wait --for=jsonpath='{{.status.containerStatuses[0].started}}' pod/{name} --timeout=60s")
    assert kubectl("logs -f one").splitlines() == ["line 1", "line 2", "line 3", "last"]
    kubectl("wait --for=jsonpath='{.status.phase}'=Succeeded pod -l app=logs --timeout=60s")
    assert kubectl("logs one --tail=2").splitlines() == ["line 3", "last"]
    assert kubectl("logs one --limit-bytes=4") == "line"
    assert re.match(r"^\d{4}-\d\d-\d\dT\S+Z line 1$", kubectl("logs one --timestamps").splitlines()[0])
    prefixed = kubectl("logs -l app=logs --prefix --tail=1")
    assert sorted(prefixed.splitlines()) == ["[pod/one/one] last", "[pod/two/two] last"]
    assert kubectl("logs one --since=1h --all-containers").splitlines()[-1] == "last"
    assert kubectl.fails("logs one -c nope").strip().endswith("container nope is not valid for pod one")
    assert "previous terminated container" in kubectl.fails("logs one --previous")
    assert 'pods "nobody" not found' in kubectl.fails("logs nobody")


def test_a_container_that_crashes(kubectl):
    kubectl("run crash --image=busybox --command -- sh -c 'echo the end is near; exit 7'")
    kubectl("wait --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=CrashLoopBackOff pod/crash --timeout=60s")
    assert kubectl("logs crash --previous") == "the end is near\n"
    row = kubectl("get pod crash").splitlines()[1].split()
    assert row[:3] == ["crash", "0/1", "CrashLoopBackOff"] and int(row[3]) >= 1
    described = kubectl("describe pod crash")
    assert "Reason:       CrashLoopBackOff" in described and "Exit Code:    7" in described
    eventually(lambda: "Back-off restarting failed container" in kubectl("events --for pod/crash --types=Warning"))
    assert kubectl.names("events --field-selector=involvedObject.name=crash,type=Warning,reason=BackOff")


def test_a_pod_that_cannot_start_tells_why(kubectl):
    kubectl("run bad --image=example.com/no/such:1")
    kubectl("wait --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}' pod/bad --timeout=60s")
    described = eventually(lambda: "Failed" in (out := kubectl("describe pod bad")) and out)
    assert "example.com/no/such:1" in described and "Pull" in described


def test_a_pod_that_fits_nowhere_tells_why(kubectl):
    kubectl("""run big --image=busybox --overrides='{"spec":{"containers":[{"name":"big","image":"busybox","resources":{"requests":{"cpu":"4000"}}}]}}'""")
    kubectl("wait --for=condition=PodScheduled=False pod/big --timeout=60s")
    assert "Insufficient cpu" in kubectl("describe pod big")
    assert kubectl("get pod big").splitlines()[1].split()[2] == "Pending"


def test_strict_about_a_pod(kubectl):
    assert 'unknown field "spec.restartPolice"' in kubectl.fails("apply -f -", POD.replace("restartPolicy", "restartPolice"))
    assert 'The Pod "hello" is invalid' in (said := kubectl.fails("apply -f -", POD.replace("Never", "Sometimes")))
    assert 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"' in said


def test_force_delete(kubectl):
    kubectl("run stubborn --image=busybox --command -- sh -c 'trap : TERM; while true; do sleep 0.1; done'")
    kubectl("wait --for=condition=Ready pod/stubborn --timeout=60s")
    started = time.monotonic()
    result = kubectl.run("delete pod stubborn --grace-period=0 --force")
    assert 'pod "stubborn" force deleted' in result.stdout and "Immediate deletion does not wait" in result.stderr
    assert time.monotonic() - started < 20
    assert "NotFound" in kubectl.fails("get pod stubborn")


def test_watching_pods(kubectl):
    kubectl("run early --image=busybox --command -- sleep 600")
    kubectl("wait --for=condition=Ready pod/early --timeout=60s")
    with kubectl.running("get pods -w") as watch:
        assert watch.stdout.readline().split()[:3] == ["NAME", "READY", "STATUS"]
        assert watch.stdout.readline().split()[:3] == ["early", "1/1", "Running"]
        kubectl("run brief --image=busybox --restart=Never --command -- true")
        seen = []
        while "Completed" not in seen:
            name, _, status, *_ = watch.stdout.readline().split()
            assert name == "brief"
            seen.append(status)
    assert seen[0] in ("Pending", "ContainerCreating")
    kubectl("delete pod early --grace-period=1")


def test_terminating_pods_show_it(kubectl):
    kubectl("run slow --image=busybox --command -- sh -c 'trap : TERM; while true; do sleep 0.1; done'")
    kubectl("wait --for=condition=Ready pod/slow --timeout=60s")
    kubectl("delete pod slow --wait=false")
    assert kubectl("get pod slow").splitlines()[1].split()[2] == "Terminating"
    kubectl("delete pod slow --grace-period=1")
    assert "NotFound" in kubectl.fails("get pod slow")
