"""The pipeline of packages/sdk/src/parity.fixture.ts, in Python."""

from typing import List, Optional

from kfp import dsl, kubernetes
from kfp.dsl import ClassificationMetrics, ContainerSpec, Dataset, Input, Model, Output, OutputPath, SlicedClassificationMetrics


@dsl.container_component
def step(text: str, out: Output[Dataset], opt: Optional[str] = None, n: int = 3):
    """Says something.

    Args:
        text: What to say.
    """
    return ContainerSpec(
        image="busybox",
        command=[
            "echo",
            dsl.ConcatPlaceholder(["--t=", text]),
            dsl.IfPresentPlaceholder("opt", then=["--opt", opt], else_=["--none"]),
        ],
        args=[out.path],
    )


@dsl.container_component
def make(name: OutputPath(str)):
    return ContainerSpec(image="busybox", command=["make", name])


@dsl.container_component
def choose(
    kind: str,
    metrics: Output[ClassificationMetrics],
    slices: Output[SlicedClassificationMetrics],
    data: Optional[Input[Model]] = None,
    score: Optional[int] = None,
):
    return ContainerSpec(
        image="busybox", command=[kind, data.metadata["framework"], dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER]
    )


@dsl.container_component
def use(data: Input[Dataset]):
    return ContainerSpec(image="busybox", command=[data.uri])


@dsl.container_component
def use_all(all: Input[List[Dataset]]):
    return ContainerSpec(image="busybox", command=[all])


@dsl.component(
    task_config_passthroughs=[
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
    ]
)
def launch(config: dsl.TaskConfig):
    pass


@dsl.component
def leave(status: dsl.PipelineTaskFinalStatus):
    pass


@dsl.pipeline(name="inner")
def inner(a: str, b: str = "y") -> Dataset:
    said = step(text=a)
    with dsl.If(b == "x"):
        step(text=b)
    return said.outputs["out"]


@dsl.pipeline(name="rounds")
def rounds() -> List[Dataset]:
    with dsl.ParallelFor(["a", "b"]) as word:
        said = step(text=word)
    return dsl.Collected(said.outputs["out"])


@dsl.pipeline(
    name="parity",
    display_name="Parity",
    description="What both languages can say.",
    pipeline_root="minio://bucket/root",
    pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(
            size="1Gi", kubernetes=dsl.KubernetesWorkspaceConfig(pvcSpecPatch={"storageClassName": "fast"})
        ),
        active_deadline_seconds=9,
        ttl_seconds_after_finished=5,
        ttl_seconds_after_success=6,
        ttl_seconds_after_failure=7,
    ),
)
def parity(
    cpu: str, image: str, secret: str, tolerations: list, selector: dict, opt: Optional[str] = None, uri: str = "gs://bucket/data"
):
    made = make()
    main = step(text=f"hello {cpu} {dsl.PIPELINE_JOB_NAME_PLACEHOLDER}", opt=opt)
    main.set_caching_options(True, "key").set_retry(2, "1s", 3, "60s").set_env_variable("A", "b").set_container_image(image)
    main.set_cpu_limit(cpu).set_memory_limit(made.output).set_cpu_request("500m").set_memory_request("1Gi")
    main.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(2).set_debug_pause(before=True)
    kubernetes.set_timeout(main, 60)
    kubernetes.use_secret_as_env(main, secret, {"k": "V", "l": "W"})
    kubernetes.use_config_map_as_env(main, "settings", {"k": "C"})
    kubernetes.use_field_path_as_env(main, "N", "spec.nodeName")
    kubernetes.use_secret_as_volume(main, "fixed", "/secret", optional=True)
    kubernetes.use_config_map_as_volume(main, "settings", "/config")
    kubernetes.mount_pvc(main, made.output, "/made")
    kubernetes.mount_pvc(main, "claim", "/fixed", "sub")
    kubernetes.empty_dir_mount(main, "scratch", "/scratch", "Memory", "1Gi")
    kubernetes.add_ephemeral_volume(main, "big", "/big", ["ReadWriteOnce"], "1Gi", labels={"l": "m"})
    kubernetes.add_node_selector_json(main, selector)
    kubernetes.add_toleration(main, "k", "Equal", "v", "NoExecute", 5)
    kubernetes.add_toleration_json(main, tolerations)
    kubernetes.add_node_affinity(main, [{"key": "a", "operator": "In", "values": ["b"]}], weight=5)
    kubernetes.add_node_affinity_json(main, selector)
    kubernetes.add_pod_label(main, "a", "b")
    kubernetes.add_pod_annotation(main, "c", "d")
    kubernetes.set_image_pull_policy(main, "Always")
    kubernetes.set_image_pull_secrets(main, ["registry", secret])
    kubernetes.set_security_context(main, 1, 2, True)
    with dsl.If(cpu == "1"):
        said = step(text="z").set_cpu_limit(cpu)
        kubernetes.use_secret_as_env(said, secret, {"k": "V"})
        kubernetes.mount_pvc(said, made.output, "/made")
    imported = dsl.importer(
        artifact_uri=uri, artifact_class=Dataset, metadata={"cpu": cpu, "fixed": "x", "where": f"at {uri}"}, reimport=True, download_to_workspace=True
    )
    use(data=imported.output)
    fixed = dsl.importer(artifact_uri="gs://bucket/model", artifact_class=Model)
    choose(kind="a")
    choose(kind="b", data=fixed.output, score=1).after(main).ignore_upstream_failure()
    inner(a="s")
    use(data=inner(a="s", b=cpu).set_display_name("Again").output)
    collected = rounds().output
    use_all(all=collected)
    with dsl.ParallelFor(collected, parallelism=2) as data:
        use(data=data)
    claim = kubernetes.CreatePVC(pvc_name_suffix="-data", access_modes=["ReadWriteOnce"], size="1Gi")
    kubernetes.DeletePVC(pvc_name=claim.outputs["name"])
    launch()
    spaced = step(text=dsl.WORKSPACE_PATH_PLACEHOLDER)
    kubernetes.add_node_selector(spaced, "disk", "ssd")
    with dsl.ExitHandler(leave()) as handled:
        step(text="inside")
    step(text="late").after(handled)
