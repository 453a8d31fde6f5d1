"""Tiny components. Most need no Python, so that they cost next to nothing."""

from kfp import dsl

GIVE = 'mkdir -p "$(dirname "$1")"; printf %s "$0" > "$1"'


@dsl.container_component
def say(text: str):
    return dsl.ContainerSpec(image="alpine", command=["echo"], args=[text])


@dsl.container_component
def shell(script: str):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-ec"], args=[script])


@dsl.container_component
def give(text: str, value: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, value])


@dsl.container_component
def give_int(text: str, value: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, value])


@dsl.container_component
def give_float(text: str, value: dsl.OutputPath(float)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, value])


@dsl.container_component
def give_bool(text: str, value: dsl.OutputPath(bool)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, value])


@dsl.container_component
def give_list(text: str, value: dsl.OutputPath(list)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, value])


@dsl.container_component
def give_dict(text: str, value: dsl.OutputPath(dict)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, value])


@dsl.container_component
def show_list(value: list):
    return dsl.ContainerSpec(image="alpine", command=["echo"], args=[value])


@dsl.container_component
def show_dict(value: dict):
    return dsl.ContainerSpec(image="alpine", command=["echo"], args=[value])


@dsl.container_component
def write(text: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", GIVE], args=[text, data.path])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset]):
    return dsl.ContainerSpec(image="alpine", command=["cat"], args=[data.path])


@dsl.container_component
def fail(reason: str = "no reason"):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'echo "it fails: $0"; exit 3'], args=[reason])


@dsl.container_component
def fail_to_give(value: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'echo "$0 is never written"; exit 3'], args=[value])


@dsl.component
def report(status: dsl.PipelineTaskFinalStatus):
    print("state", status.state)
    print("of", status.pipeline_task_name)
    print("error", status.error_code, status.error_message)


@dsl.component
def show_paths(data: dsl.Input[list[dsl.Dataset]]) -> list[str]:
    return [open(one.path).read() for one in data]
