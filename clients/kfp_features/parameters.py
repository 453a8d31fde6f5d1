"""Parameters: their types, defaults, texts and literals."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp_features.components import give, give_bool, give_dict, give_float, give_int, give_list, say, shell, show_dict, show_list
from kfp_features.feature import Feature, feature

AWKWARD = "quotes \" and ' and \\ and $HOME and $(KFP_POD_NAME) and {{braces}} and {{$}} and\nnewline\ttab é 🙂"


@dsl.component
def take_everything(
    text: str,
    whole: int,
    real: float,
    flag: bool,
    items: list,
    mapping: dict,
    absent: Optional[str] = None,
    filled: str = "from the component",
    listed: list[int] = [1, 2],  # noqa: B006
) -> NamedTuple("Outputs", [("text", str), ("whole", int), ("real", float), ("flag", bool), ("items", list), ("mapping", dict)]):
    assert type(text) is str and type(whole) is int and type(flag) is bool, (text, whole, flag)
    assert isinstance(real, float) and type(items) is list and type(mapping) is dict, (real, items, mapping)
    assert absent is None and filled == "from the component" and listed == [1, 2], (absent, filled, listed)
    return (text, whole, real, flag, items, mapping)


@feature
def every_type() -> Feature:
    @dsl.pipeline(name="every-type", description="all types", display_name="Every type")
    def pipeline(text: str, whole: int, flag: bool, items: list, mapping: dict, real: float = 0.5):
        first = take_everything(text=text, whole=whole, real=real, flag=flag, items=items, mapping=mapping)
        o = first.outputs
        say(text=f"{o['whole']} {o['real']} {o['flag']} {o['items']} {o['mapping']}")

    values = {"text": AWKWARD, "whole": 7, "flag": False, "items": [1, "two", [3], None], "mapping": {"a": {"b": AWKWARD}, "<&>": 1.5}}

    def check(run):
        for key, value in {**values, "real": 0.5}.items():
            assert run.output("take-everything", key) == value

    return Feature(pipeline=pipeline, arguments=values, logs={"say": '7 0.5 false [1,"two",[3],null] {'}, check=check)


@feature
def from_containers() -> Feature:
    @dsl.pipeline(name="from-containers")
    def pipeline():
        say(text=give(text="  kept as it is ").outputs["value"])
        give_int(text="12\n")
        give_float(text=" 2.5 ")
        give_bool(text="true")
        show_list(value=give_list(text="[1, 2]").outputs["value"])
        show_dict(value=give_dict(text='{"k": [true]}').outputs["value"])

    return Feature(
        pipeline=pipeline,
        outputs={
            **{"give.value": "  kept as it is ", "give-int.value": 12, "give-float.value": 2.5, "give-bool.value": True},
            **{"give-list.value": [1, 2], "give-dict.value": {"k": [True]}},
        },
        logs={"say": "  kept as it is ", "show-list": "[1,2]", "show-dict": '{"k":[true]}'},
    )


@feature
def of_a_wrong_type() -> Feature:
    @dsl.pipeline(name="of-a-wrong-type")
    def pipeline():
        give_int(text="twelve")

    return Feature(pipeline=pipeline, state="FAILED", error="twelve")


@feature
def never_written() -> Feature:
    @dsl.container_component
    def silent(value: dsl.OutputPath(str)):
        return dsl.ContainerSpec(image="alpine", command=["echo"], args=[value])

    @dsl.pipeline(name="never-written")
    def pipeline():
        silent()

    return Feature(pipeline=pipeline, state="FAILED", error='"value"')


@feature
def texts_in_texts() -> Feature:
    """f-strings, whose values hold what JSON and shells quote."""

    @dsl.component
    def same(text: str, other: str, number: float) -> str:
        assert text == f"<{other}> and {number}", text
        return text

    @dsl.pipeline(name="texts-in-texts")
    def pipeline(text: str):
        given = give(text=text).outputs["value"]
        same(text=f"<{given}> and {2.5}", other=text, number=2.5)
        say(text=f"say {given}")
        shell(script=f"cat << 'END'\n{text}|{given}\nEND")

    def check(run):
        assert run.output("same") == f"<{AWKWARD}> and 2.5"
        assert run.log("say") == f"say {AWKWARD}\n"
        assert run.log("shell") == f"{AWKWARD}|{AWKWARD}\n"

    return Feature(pipeline=pipeline, arguments={"text": AWKWARD}, check=check)


@feature
def long_text() -> Feature:
    @dsl.pipeline(name="long-text")
    def pipeline(text: str):
        say(text=give(text=text).outputs["value"])

    def check(run):
        assert len(run.log("say")) == 75_001

    return Feature(pipeline=pipeline, arguments={"text": "é" * 25_000 + "x" * 50_000}, check=check)


@feature
def pipeline_defaults() -> Feature:
    @dsl.pipeline(name="inner")
    def inner(a: str = "inner default", b: Optional[str] = None) -> str:
        return give(text=f"{a}").set_display_name("The giver").outputs["value"]

    @dsl.pipeline(name="pipeline-defaults")
    def pipeline(a: str = "outer default", n: int = 3, m: dict = {"k": 1}) -> str:  # noqa: B006
        say(text=inner().output)
        show_dict(value=m)
        return inner(a=f"{a} {n}").output

    def check(run):
        assert sorted(run.output(task["scope_path"].removeprefix("root."), "value") for task in run.named("give")) == ["inner default", "outer default 3"]
        assert {task["display_name"] for task in run.named("give")} == {"The giver"}
        assert run.output("root") == "outer default 3"

    return Feature(pipeline=pipeline, logs={"say": "inner default", "show-dict": '{"k":1}'}, check=check)


def with_literals(spec: dict, _: dict) -> None:
    spec["root"]["inputDefinitions"]["parameters"]["size"]["literals"] = ["small", "large"]
    spec["components"]["comp-give"]["inputDefinitions"]["parameters"]["text"]["literals"] = ["small", "medium"]


@feature
def literals() -> Feature:
    @dsl.pipeline(name="literals")
    def pipeline(size: str = "small"):
        give(text=size)

    return Feature(pipeline=pipeline, edit=with_literals, outputs={"give.value": "small"})


@feature
def literals_refuse() -> Feature:
    @dsl.pipeline(name="literals-refuse")
    def pipeline(size: str = "small"):
        give(text=size)

    return Feature(pipeline=pipeline, edit=with_literals, arguments={"size": "large"}, state="FAILED", error='must be one of "small", "medium"')


@feature
def caller_may_leave_out() -> Feature:
    """An input with a default, that the container's own arguments name."""

    @dsl.container_component
    def greet(name: str = "nobody", often: int = 2):
        return dsl.ContainerSpec(image="alpine", command=["echo"], args=["hello", name, often])

    @dsl.pipeline(name="caller-may-leave-out")
    def pipeline():
        greet()

    return Feature(pipeline=pipeline, logs={"greet": "hello nobody 2"})
