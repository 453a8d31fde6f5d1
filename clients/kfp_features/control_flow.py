"""Conditions, loops, collected outputs, nested pipelines and order."""

from kfp import dsl
from kfp_features.components import fail, give, give_bool, give_int, give_list, say, shell, show_list
from kfp_features.feature import Feature, feature


@feature
def conditions() -> Feature:
    """Every operator and type, else-if chains, nested, with constants that need quoting."""

    @dsl.pipeline(name="conditions")
    def pipeline(text: str = 'say "it"', n: int = 3, x: float = 0.5, flag: bool = False):
        with dsl.If(text == 'say "it"'):
            say(text="quote").set_display_name("quote")
        with dsl.If(n >= 3):
            with dsl.If(x < 1.0):
                say(text="nested").set_display_name("nested")
            with dsl.If(x > 1.0):
                say(text="never").set_display_name("never")
        with dsl.If(n > 3):
            say(text="never").set_display_name("never")
        with dsl.Elif(n != 3):
            say(text="never").set_display_name("never")
        with dsl.Elif(n <= 3):
            say(text="elif").set_display_name("elif")
        with dsl.Else():
            say(text="never").set_display_name("never")
        with dsl.If(flag == True):  # noqa: E712
            say(text="never").set_display_name("never")
        with dsl.Else():
            say(text="else").set_display_name("else")
        with dsl.Condition(give_int(text="4").outputs["value"] == 4):
            say(text="condition").set_display_name("condition")
        with dsl.If(give_bool(text="true").outputs["value"] == True):  # noqa: E712
            say(text="bool").set_display_name("bool")

    def check(run):
        said = {t["display_name"] for t in run.tasks if t["name"].startswith("say") and t["state"] == "SUCCEEDED"}
        assert said == {"quote", "nested", "elif", "else", "condition", "bool"}, run.told()
        assert not [t for t in run.tasks if t["display_name"] == "never" and t["state"] not in ("SKIPPED",)], run.told()

    return Feature(pipeline=pipeline, check=check)


@feature
def apostrophe_in_a_condition() -> Feature:
    """The SDK writes constants into conditions without escaping them: it fails, and says where."""

    @dsl.pipeline(name="apostrophe-in-a-condition")
    def pipeline(text: str = "it's"):
        with dsl.If(text == "it's"):
            say(text="never")

    return Feature(pipeline=pipeline, state="FAILED", error="== 'it's'")


@feature
def one_of() -> Feature:
    @dsl.pipeline(name="chosen")
    def chosen(n: int) -> str:
        with dsl.If(n == 1):
            one = give(text="one")
        with dsl.Elif(n == 2):
            two = give(text="two")
        with dsl.Else():
            many = give(text=f"many: {n}")
        return dsl.OneOf(one.outputs["value"], two.outputs["value"], many.outputs["value"])

    @dsl.pipeline(name="one-of")
    def pipeline() -> list[str]:
        with dsl.ParallelFor([1, 2, 3]) as n:
            word = chosen(n=n)
            say(text=word.output)
        return dsl.Collected(word.output)

    def check(run):
        assert run.logs("say") == ["many: 3", "one", "two"]
        assert run.output("root") == ["one", "two", "many: 3"]

    return Feature(pipeline=pipeline, check=check)


@feature
def one_of_in_loop() -> Feature:
    """The choice is made, and used, inside the loop itself; artifacts too."""

    @dsl.container_component
    def record(text: str, data: dsl.Output[dsl.Artifact]):
        return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'printf %s "$0" > "$1"'], args=[text, data.path])

    @dsl.container_component
    def replay(data: dsl.Input[dsl.Artifact]):
        return dsl.ContainerSpec(image="alpine", command=["cat"], args=[data.path])

    @dsl.pipeline(name="one-of-in-loop")
    def pipeline():
        with dsl.ParallelFor(["a", "b"]) as letter:
            with dsl.If(letter == "a"):
                first = record(text="first")
                low = give(text="low")
            with dsl.Else():
                rest = record(text="rest")
                high = give(text=f"high {letter}")
            replay(data=dsl.OneOf(first.outputs["data"], rest.outputs["data"]))
            say(text=dsl.OneOf(low.outputs["value"], high.outputs["value"]))

    def check(run):
        assert run.logs("replay") == ["first", "rest"]
        assert run.logs("say") == ["high b", "low"]

    return Feature(pipeline=pipeline, check=check)


@feature
def loops() -> Feature:
    """Over constants, parameters, outputs, dictionaries' fields, with a limit, nested, and over nothing."""

    @dsl.pipeline(name="loops")
    def pipeline(items: list = ["p", "q"], none: list = []):  # noqa: B006
        with dsl.ParallelFor([{"a": 1, "b": "x y"}, {"a": 2, "b": "z"}], name="dictionaries", parallelism=1) as item:
            say(text=f"field {item.a} {item.b}")
            with dsl.If(item.a == 2):
                shell(script=f"echo inside {item.b}").set_display_name("inside")
        with dsl.ParallelFor(items) as outer:
            with dsl.ParallelFor([1, 2]) as inner:
                pair = give(text=f"{outer}{inner}")
        show_list(value=dsl.Collected(pair.outputs["value"]))
        with dsl.ParallelFor(give_list(text='["o", {"not": "text"}]').outputs["value"]) as item:
            shell(script=f"cat << 'E'\nitem {item}\nE")
        with dsl.ParallelFor(none) as item:
            zero = give(text=item)
        show_list(value=dsl.Collected(zero.outputs["value"]))

    def check(run):
        assert run.logs("say") == ["field 1 x y", "field 2 z"]
        assert run.log("show-list") == '[["p1","p2"],["q1","q2"]]\n', run.log("show-list")
        assert run.log("show-list-2") == "[]\n"
        assert sorted(run.log_of(t).strip() for t in run.tasks if t["name"].startswith("shell") and t["state"] == "SUCCEEDED") == [
            *("inside z", "item o", 'item {"not":"text"}')
        ]
        empty = [t for t in run.tasks if t["type"] == "LOOP" and int(t["type_attributes"]["iteration_count"]) == 0]
        assert {t["state"] for t in empty} == {"SUCCEEDED"}, run.told()

    return Feature(pipeline=pipeline, check=check)


@feature
def limited_loop() -> Feature:
    @dsl.container_component
    def alone(n: int):
        script = 'mkdir /tmp/busy-$RUN; sleep 0.1; rmdir /tmp/busy-$RUN; echo "$0"'
        return dsl.ContainerSpec(image="alpine", command=["sh", "-ec", script.replace("-$RUN", "")], args=[n])

    @dsl.pipeline(name="limited-loop")
    def pipeline():
        with dsl.ParallelFor([1, 2, 3, 4], parallelism=2) as n:
            alone(n=n)

    def check(run):
        spans = sorted((t["start_time"], t["end_time"]) for t in run.named("alone"))
        assert len(spans) == 4
        # Iterations of a loop begin only as others end.
        assert spans[2][0] >= min(spans[0][1], spans[1][1]), spans

    return Feature(pipeline=pipeline, check=check)


@feature
def failing_iteration() -> Feature:
    @dsl.pipeline(name="failing-iteration")
    def pipeline():
        with dsl.ParallelFor(["exit 0", "exit 4", "exit 0"]) as script:
            shell(script=script)
        say(text="after the loop").after(shell(script="true"))

    def check(run):
        assert sorted(t["state"] for t in run.named("shell")) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]

    return Feature(pipeline=pipeline, state="FAILED", error="iteration 1", states={"say": "SUCCEEDED"}, check=check)


@feature
def order() -> Feature:
    """What waits for what, without exchanging anything; what follows a failure is skipped, what stands beside it is not."""

    @dsl.pipeline(name="order")
    def pipeline():
        broken = fail()
        first = say(text="first").set_display_name("first")
        second = say(text="second").set_display_name("second").after(first)
        say(text="never").set_display_name("never").after(broken, second)

    def check(run):
        by = {t["display_name"]: t for t in run.tasks}
        assert by["second"]["start_time"] >= by["first"]["end_time"]
        assert by["never"]["state"] == "SKIPPED" if "never" in by else True

    return Feature(pipeline=pipeline, state="FAILED", error="it fails: no reason", check=check)


@feature
def nested() -> Feature:
    """Pipelines in pipelines in loops, the same names at each level, outputs from the very depth."""

    @dsl.pipeline(name="leaf")
    def leaf(text: str) -> str:
        return give(text=f"leaf {text}").outputs["value"]

    @dsl.pipeline(name="branch")
    def branch(text: str) -> str:
        made = give(text=f"branch {text}")
        return leaf(text=made.outputs["value"]).output

    @dsl.pipeline(name="nested")
    def pipeline(text: str = "root"):
        made = give(text=text)
        with dsl.ParallelFor([1, 2]) as n:
            deep = branch(text=f"{made.outputs['value']} {n}")
        show_list(value=dsl.Collected(deep.output))

    return Feature(pipeline=pipeline, logs={"show-list": '["leaf branch root 1","leaf branch root 2"]'})


@feature
def cancelled_by_condition() -> Feature:
    """A task whose input comes from a branch that was not taken."""

    @dsl.pipeline(name="condition-task")
    def pipeline(n: int = 1):
        with dsl.If(n == 2):
            made = give(text="never")
            say(text=made.outputs["value"])

    def check(run):
        assert not run.named("give") or run.task("give")["state"] == "SKIPPED"

    return Feature(pipeline=pipeline, check=check)
