"""What the SDK lets arguments say that is known only when a run goes on."""

import datetime
import json

from kfp import dsl
from kfp_features.components import give, say, shell, write
from kfp_features.feature import Feature, feature


@feature
def of_the_run() -> Feature:
    @dsl.component
    def collect(
        job: str, resource: str, uuid: str, task: str, task_uuid: str, created: str, scheduled: str, root: str, mixed: str
    ) -> dict:
        return dict(locals())

    @dsl.pipeline(name="of-the-run")
    def pipeline():
        collect(
            job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
            uuid=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
            task_uuid=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
            created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
            scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
            root=dsl.PIPELINE_ROOT_PLACEHOLDER,
            mixed=f"run {dsl.PIPELINE_JOB_ID_PLACEHOLDER} of {dsl.PIPELINE_JOB_NAME_PLACEHOLDER}",
        )

    def check(run):
        got = run.output("collect")
        assert got["uuid"] == run.id and got["job"] == run.json["display_name"] and got["resource"]
        assert got["task"] == "collect" and got["task_uuid"] == run.task("collect")["task_id"]
        assert got["root"] == "minio://mlpipeline/v2/artifacts"
        assert got["mixed"] == f"run {run.id} of {run.json['display_name']}"
        for key in ("created", "scheduled"):
            datetime.datetime.strptime(got[key], "%Y-%m-%dT%H:%M:%SZ")

    return Feature(pipeline=pipeline, check=check)


@feature
def of_the_executor() -> Feature:
    """The executor's input in an argument, and its output written by hand."""

    @dsl.container_component
    def by_hand(text: str, data: dsl.Output[dsl.Dataset], result: dsl.OutputPath(str)):
        script = (
            'printf %s "$0" >&2; mkdir -p "$(dirname "$1")" && '
            """printf '{"parameterValues": {"result": "by hand"}, "artifacts": {"data": {"artifacts": [{"name": "data", "metadata": {"by": "hand"}}]}}}' > "$1"; """
            'echo content > "$2"'
        )
        return dsl.ContainerSpec(
            image="alpine",
            command=["sh", "-c", script],
            args=[dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER, dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER, data.path],
        )

    @dsl.pipeline(name="of-the-executor")
    def pipeline():
        by_hand(text='a "quoted" text')

    def check(run):
        text = run.log("by-hand")
        seen = json.loads(text)
        assert seen["inputs"]["parameterValues"] == {"text": 'a "quoted" text'}
        assert seen["outputs"]["parameters"]["result"]["outputFile"] == "/tmp/kfp/outputs/result"
        assert run.artifact("by-hand", "data")["metadata"] == {"by": "hand"}

    return Feature(pipeline=pipeline, outputs={"by-hand.result": "by hand"}, check=check)


@feature
def concatenated_or_absent() -> Feature:
    """Concat and IfPresent, each in the other, over parameters, artifacts and outputs."""

    @dsl.container_component
    def show(
        out: dsl.Output[dsl.Artifact],
        text: str,
        word: str = None,
        data: dsl.Input[dsl.Dataset] = None,
        number: int = 5,
    ):
        return dsl.ContainerSpec(
            image="alpine",
            command=["echo"],
            args=[
                dsl.ConcatPlaceholder(["text=", text, ";number=", number]),
                dsl.IfPresentPlaceholder(input_name="word", then=["--word", word], else_=["--no-word"]),
                dsl.IfPresentPlaceholder(input_name="data", then=[dsl.ConcatPlaceholder(["--data=", data.path])], else_=["--no-data"]),
                dsl.ConcatPlaceholder(["a", dsl.IfPresentPlaceholder(input_name="word", then=dsl.ConcatPlaceholder(["<", word, ">"]), else_="-"), "z"]),
                dsl.IfPresentPlaceholder(input_name="word", then=["only", "then"]),
                dsl.ConcatPlaceholder(["out=", out.uri]),
            ],
        )

    @dsl.pipeline(name="concatenated-or-absent")
    def pipeline():
        show(text='q"uoted\n').set_display_name("without")
        show(text="plain", word=give(text="given").outputs["value"], data=write(text="x").outputs["data"], number=6).set_display_name("with")

    def check(run):
        by = {t["display_name"]: run.log_of(t) for t in run.tasks if t["name"].startswith("show")}
        assert by["without"].startswith('text=q"uoted\n;number=5 --no-word --no-data a-z out=minio://'), by["without"]
        assert by["with"].startswith("text=plain;number=6 --word given --data=/minio/"), by["with"]
        assert "a<given>z only then out=" in by["with"], by["with"]

    return Feature(pipeline=pipeline, check=check)


@feature
def dollars() -> Feature:
    """What looks like a shell's or a pod's variable is passed on as it is; what is one in the component's own words is not."""

    @dsl.container_component
    def show(text: str):
        return dsl.ContainerSpec(image="alpine", command=["echo"], args=["$(WHO)", "$$(WHO)", text])

    @dsl.pipeline(name="dollars")
    def pipeline(text: str = "$(WHO) $WHO ${WHO} $$"):
        show(text=text).set_env_variable("WHO", "me")
        shell(script='echo "$A|$B"').set_env_variable("A", "$(WHO) literal").set_env_variable("WHO", "me").set_env_variable("B", 'b "quoted"')

    return Feature(pipeline=pipeline, logs={"show": "me $(WHO) $(WHO) $WHO ${WHO} $$", "shell": '$(WHO) literal|b "quoted"'})


@feature
def chosen_image_and_resources() -> Feature:
    """Images and resources from parameters and from other tasks."""

    @dsl.pipeline(name="chosen-image-and-resources")
    def pipeline(image: str = "busybox:1.36", cpu: str = "10m", memory: str = "32Mi", gpus: str = "example.com/none"):
        first = say(text="parameters").set_container_image(image).set_cpu_request(cpu).set_cpu_limit("1500m").set_memory_request(memory)
        first.set_memory_limit(memory)
        second = say(text="outputs").set_container_image(give(text="alpine:3").outputs["value"])
        second.set_cpu_limit(give(text="1.5").outputs["value"]).set_memory_limit("64M")

    def check(run):
        one = run.main("say")
        assert one["image"] == "busybox:1.36"
        assert one["resources"] == {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1500m", "memory": "32Mi"}}, one["resources"]
        two = run.main("say-2")
        assert two["image"] == "alpine:3" and two["resources"]["limits"]["cpu"] in ("1.5", "1500m"), two["resources"]

    return Feature(pipeline=pipeline, check=check)
