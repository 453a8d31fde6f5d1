"""What Python components may ask of their image and of pip; notebooks; components from files."""

import json
import pathlib
import subprocess
import sys
import tempfile

from kfp import components, dsl
from kfp_features.components import say
from kfp_features.feature import Feature, feature


def index_url() -> str:
    """Where this machine's pip finds packages."""
    found = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True)
    return found.stdout.strip() or "https://pypi.org/simple"


@feature
def base_images() -> Feature:
    """Whatever the version, variant and registry of the Python image, some Python of this machine runs it."""
    images = ["python:3.9", "python:3.12-slim-bookworm", "docker.io/library/python:3.11-alpine", "registry.access.redhat.com/ubi9/python-311:latest"]

    @dsl.component
    def version() -> str:
        import sys

        return f"{sys.version_info.major}.{sys.version_info.minor}"

    @dsl.pipeline(name="base-images")
    def pipeline():
        for image in images:
            version().set_container_image(image)

    def check(run):
        tasks = [task for task in run.tasks if task["name"].startswith("version")]
        assert len(tasks) == len(images)
        assert {run.output(task["scope_path"]).split(".")[0] for task in tasks} == {"3"}

    return Feature(pipeline=pipeline, check=check)


@feature
def packages() -> Feature:
    """Installed by pip from an index of one's own; into a virtual environment."""

    @dsl.component(packages_to_install=["six==1.16.0"], pip_index_urls=[index_url()], pip_trusted_hosts=[])
    def from_index() -> str:
        import six

        return six.__version__

    @dsl.component(packages_to_install=["six<1.17"], use_venv=True)
    def in_venv() -> list:
        import os
        import sys

        import six

        return [six.__version__, sys.prefix != sys.base_prefix, os.path.basename(sys.prefix)]

    @dsl.pipeline(name="packages")
    def pipeline():
        from_index()
        in_venv()

    return Feature(
        pipeline=pipeline,
        outputs={"from-index.Output": "1.16.0", "in-venv.Output": ["1.16.0", True, "venv"]},
    )


@feature
def no_such_package() -> Feature:
    @dsl.component(packages_to_install=["sluice-has-no-such-package"])
    def never():
        pass

    @dsl.pipeline(name="no-such-package")
    def pipeline():
        never()

    return Feature(pipeline=pipeline, state="FAILED", error="No matching distribution found for sluice-has-no-such-package", timeout=60)


@feature
def without_kfp() -> Feature:
    """A component that brings no SDK needs an image that has it."""

    @dsl.component(install_kfp_package=False)
    def never():
        pass

    @dsl.pipeline(name="without-kfp")
    def pipeline():
        never()

    return Feature(pipeline=pipeline, state="FAILED", error="No module named 'kfp")


@feature
def containerised() -> Feature:
    """A component built into an image of its own: where that cannot be had, the run says so at once, and what to do."""

    @dsl.component(base_image="python:3.11", target_image="registry.invalid/team/component:1")
    def never(text: str) -> str:
        return text

    @dsl.pipeline(name="containerised")
    def pipeline():
        never(text="x")

    return Feature(pipeline=pipeline, state="FAILED", error="sluice image load", timeout=60)


@feature
def of_an_unknown_image() -> Feature:
    @dsl.pipeline(name="of-an-unknown-image")
    def pipeline():
        say(text="never").set_container_image("registry.invalid/team/tool:1")

    return Feature(pipeline=pipeline, state="FAILED", error="imageProfiles", timeout=60)


@feature
def other_images() -> Feature:
    """Containers of shells and of Node, by argv alone and by the image's own command."""

    @dsl.container_component
    def bash(text: str):
        return dsl.ContainerSpec(image="bash:5", command=["bash", "-c", 'words=($0); echo "${#words[@]} words"'], args=[text])

    @dsl.container_component
    def busybox(text: str):
        return dsl.ContainerSpec(image="busybox", args=["echo", text])

    @dsl.container_component
    def debian(text: str):
        return dsl.ContainerSpec(image="debian:bookworm-slim", command=["sh", "-c", "ls /etc/debian_version >/dev/null 2>&1; echo $0"], args=[text])

    @dsl.container_component
    def node(text: str):
        return dsl.ContainerSpec(image="node:24-slim", command=["node", "-e", "console.log(process.argv[1].toUpperCase())"], args=[text])

    @dsl.pipeline(name="other-images")
    def pipeline():
        bash(text="one two three")
        busybox(text="from busybox")
        debian(text="from debian")
        node(text="from node")

    return Feature(pipeline=pipeline, logs={"bash": "3 words", "busybox": "from busybox", "debian": "from debian", "node": "FROM NODE"})


@feature
def additional_functions() -> Feature:
    def twice(text: str) -> str:
        return text * 2

    @dsl.component(additional_funcs=[twice])
    def four_times(text: str) -> str:
        return twice(twice(text))

    @dsl.pipeline(name="additional-functions")
    def pipeline():
        four_times(text="ab")

    return Feature(pipeline=pipeline, outputs={"four-times.Output": "abababab"})


@feature
def from_files() -> Feature:
    """Components as YAML: compiled by this SDK, and of the format before it; a pipeline as a component."""

    @dsl.component
    def upper(text: str) -> str:
        return text.upper()

    @dsl.pipeline(name="whole")
    def whole(text: str) -> str:
        return upper(text=text).output

    with tempfile.TemporaryDirectory() as directory:
        path = str(pathlib.Path(directory, "component.yaml"))
        from kfp import compiler

        compiler.Compiler().compile(upper, path)
        loaded = components.load_component_from_file(path)
        compiler.Compiler().compile(whole, path)
        loaded_pipeline = components.load_component_from_file(path)
    old = components.load_component_from_text(
        """
name: Old
inputs: [{name: text, type: String}, {name: optional, type: String, optional: true}]
outputs: [{name: result, type: String}, {name: data, type: Dataset}]
implementation:
  container:
    image: alpine
    command: [sh, -ec, 'mkdir -p "$(dirname "$1")" "$(dirname "$2")"; printf %s "$0" > "$1"; echo data > "$2"; echo "rest: $3"']
    args:
    - {inputValue: text}
    - {outputPath: result}
    - {outputPath: data}
    - {if: {cond: {isPresent: optional}, then: [{concat: ["--optional=", {inputValue: optional}]}], else: [none]}}
"""
    )

    @dsl.pipeline(name="from-files")
    def pipeline():
        made = old(text="old")
        loaded(text=made.outputs["result"])
        loaded_pipeline(text="whole")
        old(text="again", optional="yes")

    return Feature(pipeline=pipeline, outputs={"root.upper.Output": "OLD", "whole.Output": "WHOLE"}, logs={"old": "rest: none", "old-2": "rest: --optional=yes"})


@feature
def notebook() -> Feature:
    """A notebook with parameters, whose outputs the component passes on."""
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "text = 'default'", "outputs": [], "execution_count": None, "id": "a"},
        {"cell_type": "code", "metadata": {}, "source": "open('/tmp/out', 'w').write(text * 2)", "outputs": [], "execution_count": None, "id": "b"},
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "notebook.ipynb")
        path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))

        @dsl.notebook_component(notebook_path=str(path))
        def run(text: str) -> str:
            dsl.run_notebook(text=text)
            return open("/tmp/out").read()

    @dsl.pipeline(name="notebook")
    def pipeline():
        run(text="from the pipeline ")

    return Feature(pipeline=pipeline, outputs={"run.Output": "from the pipeline from the pipeline "}, timeout=300)


@feature
def raises() -> Feature:
    """What a component raises is what its task, and the run, say."""

    @dsl.component
    def divide(by: int) -> float:
        return 1 / by

    @dsl.pipeline(name="raises")
    def pipeline():
        divide(by=0)

    return Feature(pipeline=pipeline, state="FAILED", error="ZeroDivisionError: division by zero", logs={"divide": "Traceback"})


@feature
def returns_the_wrong_type() -> Feature:
    @dsl.component
    def wrong() -> int:
        return "not an int"

    @dsl.pipeline(name="returns-the-wrong-type")
    def pipeline():
        wrong()

    return Feature(pipeline=pipeline, state="FAILED", error="int")
