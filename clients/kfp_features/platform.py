"""What `kfp.kubernetes` asks of pods: seen in the pod, and from inside its container."""

import base64
import uuid

from conftest import eventually
from kfp import dsl, kubernetes
from kfp_features.components import give, say, shell
from kfp_features.feature import Feature, feature
from kfp_features.observed_run import NAMESPACE, core


def secret(name: str, **data: str) -> dict:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:6]}"


@feature
def secrets() -> Feature:
    """As variables and files; by a name that is constant, a parameter, another task's output; optional ones that are not there."""
    name = unique("secret")

    @dsl.pipeline(name="secrets")
    def pipeline(secret_name: str):
        constant = shell(script='echo "$USER_NAME|$ABSENT|$(cat /etc/secret/user)|$(ls /etc/absent)"').set_display_name("constant")
        kubernetes.use_secret_as_env(constant, name, {"user": "USER_NAME"})
        kubernetes.use_secret_as_env(constant, f"{name}-absent", {"user": "ABSENT"}, optional=True)
        kubernetes.use_secret_as_volume(constant, name, "/etc/secret")
        kubernetes.use_secret_as_volume(constant, f"{name}-absent", "/etc/absent", optional=True)
        dynamic = shell(script='echo "$USER_NAME|$(cat /etc/secret/user)"').set_display_name("dynamic")
        kubernetes.use_secret_as_env(dynamic, secret_name, {"user": "USER_NAME"})
        kubernetes.use_secret_as_volume(dynamic, give(text=secret_name).outputs["value"], "/etc/secret")
        with dsl.ParallelFor([name]) as item:
            looped = shell(script='echo "$USER_NAME"')
            kubernetes.use_secret_as_env(looped, item, {"user": "USER_NAME"})

    def check(run):
        assert run.log("shell") == "it's me|| it's me|\n".replace(" it", "it")
        assert run.log("shell-2") == "it's me|it's me\n"
        assert run.log("shell-3") == "it's me\n"

    return Feature(pipeline=pipeline, arguments={"secret_name": name}, objects=(secret(name, user="it's me"),), check=check)


@feature
def missing_secret() -> Feature:
    @dsl.pipeline(name="missing-secret")
    def pipeline():
        kubernetes.use_secret_as_env(say(text="never"), "there-is-none", {"user": "USER_NAME"})

    return Feature(pipeline=pipeline, state="FAILED", error="there-is-none", timeout=40)


@feature
def missing_secret_volume() -> Feature:
    """A volume that cannot be there keeps a pod waiting, as on any Kubernetes; the task says what it waits for."""

    @dsl.pipeline(name="missing-secret-volume")
    def pipeline():
        task = say(text="never")
        kubernetes.use_secret_as_volume(task, "there-is-none", "/etc/secret")
        kubernetes.set_timeout(task, 2)

    return Feature(pipeline=pipeline, state="FAILED", error="DeadlineExceeded", timeout=60)


@feature
def config_maps() -> Feature:
    name = unique("config")

    @dsl.pipeline(name="config-maps")
    def pipeline(config_name: str):
        constant = shell(script='echo "$LEVEL|$ABSENT|$(cat /etc/config/level)|$(ls /etc/absent)"')
        kubernetes.use_config_map_as_env(constant, name, {"level": "LEVEL"})
        kubernetes.use_config_map_as_env(constant, f"{name}-absent", {"level": "ABSENT"}, optional=True)
        kubernetes.use_config_map_as_volume(constant, name, "/etc/config")
        kubernetes.use_config_map_as_volume(constant, f"{name}-absent", "/etc/absent", optional=True)
        dynamic = shell(script='echo "$LEVEL|$(cat /etc/config/level)"')
        kubernetes.use_config_map_as_env(dynamic, config_name, {"level": "LEVEL"})
        kubernetes.use_config_map_as_volume(dynamic, config_name, "/etc/config")

    return Feature(
        pipeline=pipeline,
        arguments={"config_name": name},
        objects=(config_map(name, level="debug"),),
        logs={"shell": "debug||debug|\n", "shell-2": "debug|debug\n"},
    )


@feature
def volume_claims() -> Feature:
    """A claim is made, shared by tasks in order, with a part of it mounted, and deleted."""

    @dsl.pipeline(name="volume-claims")
    def pipeline():
        claim = kubernetes.CreatePVC(
            pvc_name_suffix="-shared",
            access_modes=["ReadWriteOnce"],
            size="5Mi",
            storage_class_name="standard",
            annotations={"example.com/why": "test"},
        )
        writer = shell(script="mkdir -p /data/part; echo from the writer > /data/part/file")
        kubernetes.mount_pvc(writer, pvc_name=claim.outputs["name"], mount_path="/data")
        reader = shell(script="cat /part/file; ls /part").after(writer)
        kubernetes.mount_pvc(reader, pvc_name=claim.outputs["name"], mount_path="/part", sub_path="part")
        kubernetes.DeletePVC(pvc_name=claim.outputs["name"]).after(reader)

    def while_it_is_there(run):
        def claim():
            task = run.refresh().named("createpvc")
            if not task or task[0]["state"] != "SUCCEEDED":
                return None
            return core().read_namespaced_persistent_volume_claim(run.output("createpvc", "name"), NAMESPACE)

        found = eventually(claim)
        assert found.metadata.name.endswith("-shared") and found.metadata.annotations["example.com/why"] == "test"
        assert found.spec.resources.requests == {"storage": "5Mi"} and found.spec.access_modes == ["ReadWriteOnce"]

    def check(run):
        name = run.output("createpvc", "name")
        eventually(lambda: name not in [one.metadata.name for one in core().list_namespaced_persistent_volume_claim(NAMESPACE).items])
        assert not run.task("createpvc").get("pods") and not run.task("deletepvc").get("pods")

    return Feature(pipeline=pipeline, logs={"shell-2": "from the writer\nfile\n"}, check=check)


@feature
def claim_of_a_name() -> Feature:
    """A claim by a constant and by a parameter's name."""
    claim = unique("claim")

    @dsl.pipeline(name="claim-of-a-name")
    def pipeline(name: str):
        made = kubernetes.CreatePVC(pvc_name=name, access_modes=["ReadWriteMany"], size="1Mi", storage_class_name="")
        task = shell(script="echo one > /one/file; echo two > /two/file; cat /one/file /two/file").after(made)
        kubernetes.mount_pvc(task, pvc_name=name, mount_path="/one")
        kubernetes.mount_pvc(task, pvc_name=f"{claim}-other", mount_path="/two")
        kubernetes.DeletePVC(pvc_name=name).after(task)

    other = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{claim}-other"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    return Feature(pipeline=pipeline, arguments={"name": claim}, objects=(other,), logs={"shell": "one\ntwo\n"})


@feature
def claim_that_cannot_be() -> Feature:
    @dsl.pipeline(name="claim-that-cannot-be")
    def pipeline():
        kubernetes.CreatePVC(pvc_name="Not A Name", access_modes=["ReadWriteOnce"], size="1Mi", storage_class_name="standard")

    return Feature(pipeline=pipeline, state="FAILED", error="Not A Name")


@feature
def workspace() -> Feature:
    """A directory that tasks of a run share; artifacts that are downloaded to it."""

    @dsl.component
    def put(path: str) -> str:
        import os

        os.makedirs(os.path.join(path, "deep"))
        with open(os.path.join(path, "deep", "file"), "w") as file:
            file.write("in the workspace")
        return path

    config = dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(
            size="10Mi",
            kubernetes=dsl.KubernetesWorkspaceConfig(pvcSpecPatch={"accessModes": ["ReadWriteOnce"], "storageClassName": "standard"}),
        )
    )

    @dsl.pipeline(name="workspace", pipeline_config=config)
    def pipeline():
        first = put(path=dsl.WORKSPACE_PATH_PLACEHOLDER)
        shell(script=f"cat {dsl.WORKSPACE_PATH_PLACEHOLDER}/deep/file").after(first)

    def check(run):
        assert run.output("put") == "/kfp-workspace"
        claims = [v["persistentVolumeClaim"]["claimName"] for v in run.pod("shell")["spec"]["volumes"] if "persistentVolumeClaim" in v]
        assert len(claims) == 1
        eventually(lambda: claims[0] not in [one.metadata.name for one in core().list_namespaced_persistent_volume_claim(NAMESPACE).items])

    return Feature(pipeline=pipeline, logs={"shell": "in the workspace"}, check=check)


@feature
def imported_to_workspace() -> Feature:
    @dsl.component
    def store(data: dsl.Output[dsl.Dataset]) -> str:
        with open(data.path, "w") as file:
            file.write("stored before")
        return data.uri

    @dsl.component
    def take(data: dsl.Input[dsl.Dataset]) -> str:
        assert data.path.startswith("/kfp-workspace/.artifacts/"), data.path
        return open(data.path).read()

    config = dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="10Mi"))

    @dsl.pipeline(name="imported-to-workspace", pipeline_config=config)
    def pipeline():
        uri = store().outputs["Output"]
        take(data=dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, download_to_workspace=True).output)

    return Feature(pipeline=pipeline, outputs={"take.Output": "stored before"})


@feature
def metadata_and_fields() -> Feature:
    """Labels and annotations, and what a container is told of its pod."""

    @dsl.pipeline(name="metadata-and-fields")
    def pipeline():
        task = shell(script='echo "$NAME|$NS|$TEAM|$NODE|$KFP_POD_NAME"')
        kubernetes.add_pod_label(task, "example.com/team", "blue")
        kubernetes.add_pod_annotation(task, "example.com/note", 'any "text" {{$}}')
        kubernetes.use_field_path_as_env(task, "NAME", "metadata.name")
        kubernetes.use_field_path_as_env(task, "NS", "metadata.namespace")
        kubernetes.use_field_path_as_env(task, "TEAM", "metadata.labels['example.com/team']")
        kubernetes.use_field_path_as_env(task, "NODE", "spec.nodeName")

    def check(run):
        pod = run.pod("shell")
        assert pod["metadata"]["labels"]["example.com/team"] == "blue"
        assert pod["metadata"]["labels"]["pipelines.kubeflow.org/v2_component"] == "true"
        assert pod["metadata"]["annotations"]["example.com/note"] == 'any "text" {{$}}'
        name = pod["metadata"]["name"]
        assert run.log("shell").strip() == f"{name}|{NAMESPACE}|blue|{pod['spec']['nodeName']}|{name}"

    return Feature(pipeline=pipeline, check=check)


@feature
def placed() -> Feature:
    """Where pods may go: selectors, tolerations and affinities, constant and from parameters."""

    @dsl.pipeline(name="placed")
    def pipeline(selector: dict, toleration: dict, tolerations: list, affinity: dict, nothing: dict = None):
        fixed = say(text="fixed")
        kubernetes.add_node_selector(fixed, "kubernetes.io/os", "linux")
        kubernetes.add_toleration(fixed, key="gpu", operator="Equal", value="yes", effect="NoExecute", toleration_seconds=30)
        kubernetes.add_node_affinity(fixed, match_expressions=[{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}])
        kubernetes.add_node_affinity(fixed, match_expressions=[{"key": "disk", "operator": "Exists"}], weight=5)
        given = say(text="given")
        kubernetes.add_node_selector_json(given, selector)
        kubernetes.add_toleration_json(given, toleration)
        kubernetes.add_toleration_json(given, tolerations)
        kubernetes.add_node_affinity_json(given, affinity)
        none = say(text="none")
        kubernetes.add_node_selector_json(none, nothing)
        kubernetes.add_node_affinity_json(none, nothing)

    term = {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "Exists"}]}
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}

    def check(run):
        fixed, given, none = (run.pod(name)["spec"] for name in ("say", "say-2", "say-3"))
        assert fixed["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 30} in fixed["tolerations"]
        node = fixed["affinity"]["nodeAffinity"]
        assert len(node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]) == 1
        assert node["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"] == 5
        assert given["nodeSelector"] == {"kubernetes.io/arch": "amd64"} and given["affinity"]["nodeAffinity"] == affinity
        assert {"a", "b", "c"} <= {one["key"] for one in given["tolerations"]}
        assert "nodeSelector" not in none and "affinity" not in none

    labels = core().list_node().items[0].metadata.labels
    return Feature(
        pipeline=pipeline,
        arguments={
            "selector": {"kubernetes.io/arch": labels["kubernetes.io/arch"]},
            "toleration": {"key": "a", "operator": "Exists"},
            "tolerations": [{"key": "b", "operator": "Exists"}, {"key": "c", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": affinity,
        },
        check=check,
    )


def pending_reason(run) -> str:
    task = run.refresh().task("say")
    if not task.get("pods"):
        return ""
    conditions = run.pod("say").get("status", {}).get("conditions", [])
    return next((one.get("message", "") for one in conditions if one["type"] == "PodScheduled" and one["status"] == "False"), "")


@feature
def placed_nowhere() -> Feature:
    """A pod that fits nowhere waits, says why, and goes with its run."""

    @dsl.pipeline(name="placed-nowhere")
    def pipeline():
        task = say(text="never")
        kubernetes.add_node_selector(task, "example.com/there-is", "no-such-node")

    def wait(run):
        assert "0/1 nodes are available" in eventually(lambda: pending_reason(run))
        assert run.refresh().task("say")["state"] == "PENDING"
        run.client.terminate_run(run.id)

    return Feature(pipeline=pipeline, meanwhile=wait, state="CANCELED", timeout=60)


@feature
def accelerators() -> Feature:
    """An accelerator that no node has: the pod asks for it, and says that it waits for it."""

    @dsl.pipeline(name="accelerators")
    def pipeline():
        say(text="never").set_accelerator_type("example.com/gpu").set_accelerator_limit(2)

    def wait(run):
        assert "Insufficient example.com/gpu" in eventually(lambda: pending_reason(run))
        assert run.main("say")["resources"]["limits"] == {"example.com/gpu": "2"}
        run.client.terminate_run(run.id)

    return Feature(pipeline=pipeline, meanwhile=wait, state="CANCELED", timeout=60)


@feature
def old_accelerators() -> Feature:
    """The names that the SDK had for them before."""

    @dsl.pipeline(name="old-accelerators")
    def pipeline():
        say(text="no gpu").add_node_selector_constraint("nvidia.com/gpu").set_gpu_limit("0")

    return Feature(pipeline=pipeline, check=lambda run: run.main("say")["resources"]["limits"] == {"nvidia.com/gpu": "0"} or 1 / 0)


@feature
def pulled() -> Feature:
    """When and with which secrets images are pulled."""

    @dsl.pipeline(name="pulled")
    def pipeline(secret_name: str = "pull-secret-2"):
        task = say(text="pulled")
        kubernetes.set_image_pull_policy(task, "IfNotPresent")
        kubernetes.set_image_pull_secrets(task, ["pull-secret-1", secret_name])

    def check(run):
        assert run.main("say")["imagePullPolicy"] == "IfNotPresent"
        assert [one["name"] for one in run.pod("say")["spec"]["imagePullSecrets"]] == ["pull-secret-1", "pull-secret-2"]

    return Feature(pipeline=pipeline, check=check)


@feature
def never_pulled() -> Feature:
    @dsl.pipeline(name="never-pulled")
    def pipeline():
        task = say(text="never").set_container_image("registry.invalid/nothing:1")
        kubernetes.set_image_pull_policy(task, "Never")

    return Feature(pipeline=pipeline, state="FAILED", error="registry.invalid/nothing:1", timeout=40)


@feature
def secured() -> Feature:
    @dsl.pipeline(name="secured")
    def pipeline():
        task = shell(script='echo "$(id -u):$(id -g)"')
        kubernetes.set_security_context(task, run_as_user=1234, run_as_group=2345, run_as_non_root=True)
        open_to_all = shell(script='echo "$(id -u)"')
        kubernetes.set_security_context(open_to_all, run_as_non_root=False)

    def check(run):
        context = run.main("shell")["securityContext"]
        assert context == {"runAsUser": 1234, "runAsGroup": 2345, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}}
        assert run.log("shell") == "1234:2345\n"

    return Feature(pipeline=pipeline, check=check)


@feature
def artifacts_of_another_user() -> Feature:
    """Whoever a container runs as, it can read its inputs and write its outputs."""

    @dsl.container_component
    def both(data: dsl.Input[dsl.Dataset], copy: dsl.Output[dsl.Dataset], count: dsl.OutputPath(str)):
        return dsl.ContainerSpec(image="alpine", command=["sh", "-ec", 'cat "$0" > "$1"; id -u > "$2"'], args=[data.path, copy.path, count])

    @dsl.container_component
    def make(data: dsl.Output[dsl.Dataset]):
        return dsl.ContainerSpec(image="alpine", command=["sh", "-ec", 'id -u > "$0"'], args=[data.path])

    @dsl.pipeline(name="artifacts-of-another-user")
    def pipeline():
        made = make()
        kubernetes.set_security_context(made, run_as_user=1001)
        task = both(data=made.outputs["data"])
        kubernetes.set_security_context(task, run_as_user=1002)

    return Feature(pipeline=pipeline, outputs={"both.count": "1002\n"})


@feature
def timed_out() -> Feature:
    """A limit of each attempt."""

    @dsl.pipeline(name="timed-out")
    def pipeline():
        task = shell(script="test $KFP_RETRY_INDEX = 1 || sleep 100").set_retry(1)
        kubernetes.set_timeout(task, 1)
        hopeless = shell(script="sleep 100")
        kubernetes.set_timeout(hopeless, 1)

    return Feature(pipeline=pipeline, state="FAILED", error="DeadlineExceeded", states={"shell": "SUCCEEDED", "shell-2": "FAILED"}, timeout=60)


@feature
def volumes_of_the_pod() -> Feature:
    """Volumes that come and go with the pod: empty ones, in memory, and claims of its own."""

    @dsl.pipeline(name="volumes-of-the-pod")
    def pipeline():
        task = shell(script="for d in /scratch /fast /own; do echo $d > $d/file; cat $d/file; done; grep -c ' /fast tmpfs' /proc/mounts || true")
        kubernetes.empty_dir_mount(task, volume_name="scratch", mount_path="/scratch", size_limit="10Mi")
        kubernetes.empty_dir_mount(task, volume_name="fast", mount_path="/fast", medium="Memory")
        kubernetes.add_ephemeral_volume(
            task,
            volume_name="own",
            mount_path="/own",
            access_modes=["ReadWriteOnce"],
            size="5Mi",
            storage_class_name="standard",
            labels={"example.com/of": "a task"[:1]},
            annotations={"example.com/note": "n"},
        )

    def check(run):
        volumes = {one["name"]: one for one in run.pod("shell")["spec"]["volumes"]}
        assert volumes["scratch"]["emptyDir"] == {"sizeLimit": "10Mi"} and volumes["fast"]["emptyDir"] == {"medium": "Memory"}
        template = volumes["own"]["ephemeral"]["volumeClaimTemplate"]
        assert template["spec"]["resources"]["requests"] == {"storage": "5Mi"} and template["metadata"]["labels"] == {"example.com/of": "a"}

    return Feature(pipeline=pipeline, logs={"shell": "/scratch\n/fast\n/own\n1\n"}, check=check)


@feature
def beyond_the_sdk() -> Feature:
    """What the protocol has and this SDK does not write: init containers, shared memory, affinity to pods."""

    def edit(_, platform):
        (executor,) = (one for name, one in platform["deploymentSpec"]["executors"].items())
        executor["initContainers"] = [
            {"name": "prepare", "image": "alpine", "command": ["sh", "-c"], "args": ["echo prepared > /scratch/file"], "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}
        ]
        executor["enabledSharedMemory"] = {"volumeName": "shm", "size": "64Mi"}
        executor["podAffinity"] = [
            {"matchPodLabels": {"example.com/app": "none"}, "topologyKey": "kubernetes.io/hostname", "anti": True},
            {"matchPodLabels": {"example.com/app": "none"}, "topologyKey": "kubernetes.io/hostname", "weight": 3},
        ]

    @dsl.pipeline(name="beyond-the-sdk")
    def pipeline():
        task = shell(script="cat /scratch/file; grep -o ' /dev/shm tmpfs' /proc/mounts; echo x > /dev/shm/file && cat /dev/shm/file")
        kubernetes.empty_dir_mount(task, volume_name="scratch", mount_path="/scratch")

    def check(run):
        pod = run.pod("shell")["spec"]
        assert [one["name"] for one in pod["initContainers"]][-1] == "prepare"
        affinity = pod["affinity"]
        assert len(affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]) == 1
        assert affinity["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["weight"] == 3

    return Feature(pipeline=pipeline, edit=edit, logs={"shell": "prepared\n /dev/shm tmpfs\nx\n"}, check=check)


@feature
def failing_init_container() -> Feature:
    def edit(_, platform):
        platform["deploymentSpec"]["executors"]["exec-say"] = {
            "initContainers": [{"name": "prepare", "image": "alpine", "command": ["sh", "-c", "echo not prepared; exit 7"]}]
        }

    @dsl.pipeline(name="failing-init-container")
    def pipeline():
        say(text="never")

    return Feature(pipeline=pipeline, edit=edit, state="FAILED", error="prepare exited with code 7")


PASSED = [
    dsl.TaskConfigField.RESOURCES,
    dsl.TaskConfigField.KUBERNETES_TOLERATIONS,
    dsl.TaskConfigField.KUBERNETES_NODE_SELECTOR,
    dsl.TaskConfigField.KUBERNETES_AFFINITY,
    dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
    dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.KUBERNETES_VOLUMES, apply_to_task=True),
]


@feature
def task_config() -> Feature:
    """Settings that a component is told of, to hand them on, instead of or besides having them."""
    name = unique("config")

    @dsl.component(task_config_passthroughs=PASSED)
    def launch(config: dsl.TaskConfig) -> dict:
        import os

        assert os.environ["LEVEL"] == "debug" and open("/etc/config/level").read() == "debug"
        return {key: getattr(config, key) for key in ("affinity", "tolerations", "node_selector", "env", "volumes", "volume_mounts", "resources")}

    @dsl.pipeline(name="task-config")
    def pipeline():
        task = launch().set_cpu_limit("2").set_memory_request("1Gi").set_env_variable("LEVEL", "debug")
        kubernetes.add_node_selector(task, "example.com/there-is", "no-such-node")
        kubernetes.add_toleration(task, key="gpu", operator="Exists")
        kubernetes.add_node_affinity(task, match_expressions=[{"key": "no-such-label", "operator": "Exists"}])
        kubernetes.use_config_map_as_volume(task, name, "/etc/config")

    def check(run):
        got = run.output("launch")
        assert got["node_selector"] == {"example.com/there-is": "no-such-node"}
        assert got["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
        assert got["resources"] == {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}}
        assert {"name": "LEVEL", "value": "debug"} in got["env"]
        assert [one["configMap"]["name"] for one in got["volumes"]] == [name]
        assert got["volume_mounts"] == [{"name": name, "mountPath": "/etc/config"}]
        assert got["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert "nodeSelector" not in run.pod("launch")["spec"] and "limits" not in run.main("launch").get("resources", {})

    return Feature(pipeline=pipeline, objects=(config_map(name, level="debug"),), check=check)
