"""Exit handlers, failures, retries, deadlines and caching."""

import uuid

from conftest import eventually
from kfp import dsl
from kfp_features.components import fail, fail_to_give, give, read, report, say, shell, write
from kfp_features.feature import Feature, feature
from kfp_features.observed_run import finished


@feature
def exit_after_success() -> Feature:
    @dsl.pipeline(name="exit-after-success")
    def pipeline():
        with dsl.ExitHandler(report()):
            say(text="fine")

    return Feature(pipeline=pipeline, logs={"report": "state COMPLETE\nof exit-handler-1"})


@feature
def exit_after_failure() -> Feature:
    @dsl.pipeline(name="exit-after-failure")
    def pipeline(message: str = "sorry"):
        with dsl.ExitHandler(report()):
            broken = fail(reason="on purpose")
            say(text="never").after(broken)

    return Feature(
        pipeline=pipeline,
        state="FAILED",
        error="it fails: on purpose",
        states={"report": "SUCCEEDED"},
        logs={"report": "state FAILED"},
        check=lambda run: "it fails: on purpose" in run.log("report") or run.log("report"),
    )


@feature
def exit_twice() -> Feature:
    """Handlers in a row, and an order after them."""

    @dsl.pipeline(name="exit-twice")
    def pipeline():
        with dsl.ExitHandler(say(text="first exit"), name="one") as one:
            shell(script="exit 0")
        with dsl.ExitHandler(say(text="second exit"), name="two"):
            shell(script="exit 5")
        say(text="after the first").after(one)

    return Feature(
        pipeline=pipeline,
        state="FAILED",
        error="code 5",
        logs={"say": "first exit", "say-2": "second exit", "say-3": "after the first"},
    )


@feature
def regardless_of_failure() -> Feature:
    """A task that runs though what it waits for fails: after a container, after a loop, with inputs from what failed."""

    @dsl.component
    def clean(status: dsl.PipelineTaskFinalStatus, value: str = "not given") -> str:
        return f"{value} {status.state} {status.error_message}"

    @dsl.pipeline(name="regardless-of-failure")
    def pipeline():
        broken = fail_to_give()
        clean(value=broken.outputs["value"]).ignore_upstream_failure()
        say(text="after all").after(fail(), shell(script="exit 0")).ignore_upstream_failure()

    def check(run):
        assert run.output("clean").startswith("not given FAILED ")
        assert "is never written" in run.output("clean"), run.output("clean")

    return Feature(pipeline=pipeline, state="FAILED", states={"clean": "SUCCEEDED", "say": "SUCCEEDED"}, check=check)


@feature
def exit_after_loop() -> Feature:
    @dsl.pipeline(name="body")
    def body():
        with dsl.ParallelFor(["exit 0", "exit 1"]) as script:
            shell(script=script)

    @dsl.pipeline(name="exit-after-loop")
    def pipeline():
        with dsl.ExitHandler(report()):
            with dsl.ParallelFor(["true", "exit 3"]) as script:
                shell(script=script)
        say(text="after the nested loop").after(body()).ignore_upstream_failure()

    return Feature(pipeline=pipeline, state="FAILED", logs={"report": "state FAILED", "say": "after the nested loop"})


@feature
def retried() -> Feature:
    """Retries count up to success; a nested pipeline hands its own down; those used up fail."""

    @dsl.pipeline(name="stubborn")
    def stubborn():
        shell(script="test $KFP_RETRY_INDEX = 1").set_display_name("inherits")

    @dsl.pipeline(name="retried")
    def pipeline():
        shell(script="test $KFP_RETRY_INDEX = 2").set_retry(3, backoff_duration="0s").set_display_name("own")
        stubborn().set_retry(1)
        shell(script="echo attempt $KFP_RETRY_INDEX; exit 9").set_retry(1, backoff_duration="0s", backoff_factor=1.5, backoff_max_duration="1s").set_display_name("hopeless")

    def check(run):
        by = {t["display_name"]: t for t in run.tasks}
        assert by["own"]["state"] == by["inherits"]["state"] == "SUCCEEDED", run.told()
        assert by["own"]["attempt"] == 2 and by["hopeless"]["attempt"] == 1

    return Feature(pipeline=pipeline, state="FAILED", error="attempt 1", check=check)


@feature
def deadline_of_a_run() -> Feature:
    @dsl.pipeline(name="deadline-of-a-run", pipeline_config=dsl.PipelineConfig(active_deadline_seconds=2))
    def pipeline():
        say(text="never").after(shell(script="sleep 100"))

    return Feature(pipeline=pipeline, state="FAILED", error="deadline", timeout=40)


@feature
def time_to_live() -> Feature:
    """The SDK's lifetimes of what a run leaves in the cluster."""

    @dsl.pipeline(
        name="time-to-live",
        pipeline_config=dsl.PipelineConfig(ttl_seconds_after_finished=60, ttl_seconds_after_success=1, ttl_seconds_after_failure=120),
    )
    def pipeline():
        give(text="soon gone")

    def check(run):
        eventually(lambda: not run.pods(), 30)
        assert run.refresh().state == "SUCCEEDED" and run.output("give", "value") == "soon gone"

    return Feature(pipeline=pipeline, check=check)


@feature
def answered_from_the_cache() -> Feature:
    """The same twice; another input; a task that opts out; a key of one's own; what follows from cached artifacts."""

    key = uuid.uuid4().hex
    text = uuid.uuid4().hex

    @dsl.pipeline(name="answered-from-the-cache")
    def pipeline(text: str, nonce: str):
        read(data=write(text=text).outputs["data"])
        say(text=text).set_caching_options(False)
        give(text=nonce).set_caching_options(True, cache_key=f"own-{key}")

    def check(run):
        assert {run.task(name)["state"] for name in ("read", "write", "give")} == {"SUCCEEDED"}
        again = Feature(pipeline=pipeline, arguments={"text": text, "nonce": "second"}, caching=True).submit(run.client)
        finished(again, 60)
        states = {task["name"]: task["state"] for task in again.tasks}
        assert states == {"root": "SUCCEEDED", "read": "CACHED", "write": "CACHED", "say": "SUCCEEDED", "give": "CACHED"}, again.told()
        assert again.output("give", "value") == "first"
        assert again.log("read") == "" or text in again.log("read") or "404" in again.log("read")
        other = Feature(pipeline=pipeline, arguments={"text": text + "x", "nonce": "third"}, caching=True).submit(run.client)
        finished(other, 60)
        assert other.task("read")["state"] == "SUCCEEDED" and other.task("give")["state"] == "CACHED"

    return Feature(pipeline=pipeline, arguments={"text": text, "nonce": "first"}, caching=True, check=check)


@feature
def held() -> Feature:
    """A task that is held before its program, after it, or once it has failed, until somebody lets it go on."""

    @dsl.pipeline(name="held")
    def pipeline():
        shell(script="echo first").set_debug_pause(before=True)
        shell(script="exit 3").set_debug_pause(on_error=True)
        say(text="not held").set_debug_pause(on_error=True)

    def let_go(run):
        for name, step, said in (("shell", "before", ""), ("shell", "after", "first\n"), ("shell-2", "after", "")):

            def is_held(name=name, step=step):
                return run.refresh().task(name)["state"] == "RUNNING" and f"continue-{step}" in run.log(name)

            eventually(is_held)
            assert said in run.log(name)
            run.execute(name, f"touch /tmp/continue-{step}")

    return Feature(pipeline=pipeline, meanwhile=let_go, state="FAILED", error="code 3", states={"shell": "SUCCEEDED", "say": "SUCCEEDED"})


@feature
def terminated() -> Feature:
    """A run that is stopped ends, and its pods with it."""

    @dsl.pipeline(name="terminated")
    def pipeline():
        say(text="never").after(shell(script="sleep 100"))

    def stop(run):
        eventually(lambda: run.refresh().task("shell")["state"] == "RUNNING")
        run.client.terminate_run(run.id)

    return Feature(pipeline=pipeline, meanwhile=stop, state="CANCELED", states={"shell": "CANCELED"}, timeout=60)
