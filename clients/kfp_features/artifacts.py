"""Artifacts: their types, metadata, addresses, lists and importers."""

import pathlib
import tempfile

from kfp import dsl
from kfp_features.components import give, read, say, shell, show_paths, write
from kfp_features.feature import Feature, feature


@feature
def every_type() -> Feature:
    @dsl.component
    def make(
        artifact: dsl.Output[dsl.Artifact],
        dataset: dsl.Output[dsl.Dataset],
        model: dsl.Output[dsl.Model],
        metrics: dsl.Output[dsl.Metrics],
        classes: dsl.Output[dsl.ClassificationMetrics],
        slices: dsl.Output[dsl.SlicedClassificationMetrics],
        page: dsl.Output[dsl.HTML],
        notes: dsl.Output[dsl.Markdown],
    ) -> str:
        import os

        for one in (artifact, dataset, model, page, notes):
            with open(one.path, "w") as file:
                file.write(one.name)
        model.framework = "none"
        model.metadata.update(accuracy=0.5, is_good=True, layers=[1, 2], config={"a": {"b": None}})
        metrics.log_metric("loss", 0.25)
        classes.log_confusion_matrix(["cat", "dog"], [[3, 1], [0, 4]])
        classes.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
        slices.metadata["evaluationSlices"] = [{"slice": "all"}]
        assert dsl.get_uri("more").endswith("/more") and "://" in dsl.get_uri(), dsl.get_uri()
        assert os.path.exists(os.path.dirname(model.path))
        return model.uri

    @dsl.component
    def take(artifact: dsl.Input[dsl.Artifact], model: dsl.Input[dsl.Model], metrics: dsl.Input[dsl.Metrics], notes: dsl.Input[dsl.Markdown], uri: str):
        assert open(artifact.path).read() == "artifact" and open(notes.path).read() == "notes"
        assert type(model) is dsl.Model and model.uri == uri and model.framework == "none", (model, uri)
        assert model.metadata["is_good"] is True and model.metadata["layers"] == [1, 2], model.metadata
        assert model.metadata["config"] == {"a": {"b": None}} and metrics.metadata == {"loss": 0.25}, model.metadata

    @dsl.pipeline(name="every-type-of-artifact")
    def pipeline():
        o = make().outputs
        take(artifact=o["artifact"], model=o["model"], metrics=o["metrics"], notes=o["notes"], uri=o["Output"])

    def check(run):
        assert run.artifact("make", "classes")["metadata"]["confusionMatrix"]["rows"] == [{"row": [3, 1]}, {"row": [0, 4]}]
        assert run.artifact("make", "metrics")["number_value"] == 0.25
        assert {run.artifact("make", key)["schema_title"] for key in ("dataset", "page")} == {"system.Dataset", "system.HTML"}
        assert run.artifact("make", "slices")["metadata"] == {"evaluationSlices": [{"slice": "all"}]}

    return Feature(pipeline=pipeline, check=check)


@feature
def returned() -> Feature:
    """Artifacts that a component returns, or sends elsewhere."""

    @dsl.component
    def make(text: str) -> dsl.Dataset:
        data = dsl.Dataset(uri=dsl.get_uri("chosen"), metadata={"words": 1})
        with open(data.path, "w") as file:
            file.write(text)
        return data

    @dsl.component
    def point(elsewhere: dsl.Output[dsl.Artifact]):
        elsewhere.uri = "https://example.org/there"
        elsewhere.metadata["why"] = "it lies there already"

    @dsl.pipeline(name="returned")
    def pipeline() -> dsl.Dataset:
        made = make(text="returned")
        read(data=made.output)
        point()
        return made.output

    def check(run):
        assert run.artifact("make", "Output")["uri"].endswith("/chosen")
        assert run.artifact("make", "Output")["metadata"] == {"words": 1}
        assert run.artifact("root", "Output")["artifact_id"] == run.artifact("make", "Output")["artifact_id"]
        assert run.artifact("point", "elsewhere")["uri"] == "https://example.org/there"

    return Feature(pipeline=pipeline, logs={"read": "returned"}, check=check)


@feature
def paths_of_old() -> Feature:
    """InputPath and OutputPath, for parameters and for artifacts; a directory."""

    @dsl.component
    def make(folder: dsl.OutputPath("Dataset"), count: dsl.OutputPath(int)):
        import os

        os.makedirs(folder)
        for name in ("a", "b"):
            with open(os.path.join(folder, name), "w") as file:
                file.write(name * 3)
        with open(count, "w") as file:
            file.write("2")

    @dsl.component
    def take(folder: dsl.InputPath("Dataset"), count: int) -> str:
        import os

        assert len(os.listdir(folder)) == count
        return "".join(open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder)))

    @dsl.pipeline(name="paths-of-old")
    def pipeline():
        made = make().outputs
        take(folder=made["folder"], count=made["count"])

    return Feature(pipeline=pipeline, outputs={"take.Output": "aaabbb"})


@feature
def addresses_in_arguments() -> Feature:
    @dsl.container_component
    def show(data: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Artifact], more: dsl.Output[dsl.Artifact]):
        return dsl.ContainerSpec(
            image="alpine",
            command=["sh", "-c", 'cat "$1"; echo " name=$2 meta=$3 uri=$0"; echo x > "$4"; echo "$5"'],
            args=[data.uri, data.path, "{{$.inputs.artifacts['data'].name}}", data.metadata["colour"], out.path, more.uri],
        )

    @dsl.component
    def make(data: dsl.Output[dsl.Dataset]):
        open(data.path, "w").write("content")
        data.metadata["colour"] = "blue"

    @dsl.pipeline(name="addresses-in-arguments")
    def pipeline():
        show(data=make().outputs["data"])

    def check(run):
        made = run.artifact("make", "data")
        assert f"content name={made['name']} meta=blue uri={made['uri']}" in run.log("show")

    return Feature(pipeline=pipeline, check=check)


@feature
def optional_input() -> Feature:
    @dsl.component
    def count(data: dsl.Input[dsl.Dataset] = None) -> int:
        return 0 if data is None else len(open(data.path).read())

    @dsl.pipeline(name="inner-optional")
    def inner(data: dsl.Input[dsl.Dataset] = None) -> int:
        return count(data=data).output

    @dsl.pipeline(name="optional-input")
    def pipeline() -> int:
        count().set_display_name("without")
        return inner(data=write(text="four").outputs["data"]).output

    return Feature(pipeline=pipeline, outputs={"root.count.Output": 0, "inner-optional.count.Output": 4, "root.Output": 4})


@feature
def lists() -> Feature:
    """Artifacts collected from loops, looped over, and taken as a list."""

    @dsl.pipeline(name="lists")
    def pipeline():
        with dsl.ParallelFor(["a", "b", "c"]) as letter:
            made = write(text=letter)
        collected = dsl.Collected(made.outputs["data"])
        show_paths(data=collected)

    return Feature(pipeline=pipeline, outputs={"show-paths.Output": ["a", "b", "c"]})


@feature
def looped_over() -> Feature:
    @dsl.pipeline(name="many")
    def many() -> list[dsl.Dataset]:
        with dsl.ParallelFor(["x", "y"]) as letter:
            made = write(text=letter)
        return dsl.Collected(made.outputs["data"])

    @dsl.pipeline(name="looped-over")
    def pipeline():
        made = many()
        with dsl.ParallelFor(made.output) as data:
            read(data=data)
        show_paths(data=made.output)

    def check(run):
        assert run.logs("read") == ["x", "y"]
        assert len(run.artifacts("many", "Output")) == 2

    return Feature(pipeline=pipeline, outputs={"show-paths.Output": ["x", "y"]}, check=check)


@feature
def imported() -> Feature:
    """Importers: constants, parameters, outputs of tasks, metadata from them; once more or the same."""

    @dsl.component
    def take(data: dsl.Input[dsl.Dataset]) -> dict:
        return {"uri": data.uri, "metadata": data.metadata, "type": type(data).__name__}

    @dsl.pipeline(name="imported")
    def pipeline(uri: str = "gs://bucket/given", name: str = "blue"):
        constant = dsl.importer(artifact_uri="s3://example/constant", artifact_class=dsl.Dataset, reimport=False, metadata={"a": {"b": [1]}})
        dynamic = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=True, metadata={"colour": name, f"key {name}": f"the {name} one"})
        late = dsl.importer(artifact_uri=give(text="https://example.org/late").outputs["value"], artifact_class=dsl.Model, reimport=False)
        take(data=constant.output).set_display_name("constant")
        shell(script="echo the late one lies at $0 " + "").after(late)

    def check(run):
        assert run.output("take") == {"uri": "s3://example/constant", "metadata": {"a": {"b": [1]}}, "type": "Dataset"}
        assert run.artifact("importer-2", "artifact")["metadata"] == {"colour": "blue", "key blue": "the blue one"}
        assert run.artifact("importer-2", "artifact")["uri"] == "gs://bucket/given"
        assert run.artifact("importer-3", "artifact")["uri"] == "https://example.org/late"
        assert run.artifact("importer-3", "artifact")["schema_title"] == "system.Model"

    return Feature(pipeline=pipeline, check=check)


@feature
def imported_from_the_run() -> Feature:
    """An importer that names what another task has stored."""

    @dsl.container_component
    def where(data: dsl.Input[dsl.Dataset], uri: dsl.OutputPath(str)):
        return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'printf %s "$0" > "$1"'], args=[data.uri, uri])

    @dsl.pipeline(name="imported-from-the-run")
    def pipeline():
        uri = where(data=write(text="stored").outputs["data"]).outputs["uri"]
        read(data=dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset).output)

    return Feature(pipeline=pipeline, logs={"read": "stored"})


@feature
def embedded() -> Feature:
    """Files that travel within the component."""
    with tempfile.TemporaryDirectory() as directory:
        words = pathlib.Path(directory, "words.txt")
        words.write_text("embedded words")

        @dsl.component(embedded_artifact_path=directory)
        def folder(files: dsl.EmbeddedInput[dsl.Dataset]) -> str:
            import os

            return open(os.path.join(files.path, "words.txt")).read()

        @dsl.component(embedded_artifact_path=str(words))
        def single(file: dsl.EmbeddedInput[dsl.Dataset]) -> str:
            return open(file.path).read()

    @dsl.pipeline(name="embedded")
    def pipeline():
        folder()
        single()

    return Feature(pipeline=pipeline, outputs={"folder.Output": "embedded words", "single.Output": "embedded words"})


@feature
def root_of_ones_own() -> Feature:
    @dsl.pipeline(name="root-of-ones-own", pipeline_root="s3://unused/by-the-sdk")
    def pipeline():
        read(data=write(text="elsewhere").outputs["data"])
        say(text=dsl.PIPELINE_ROOT_PLACEHOLDER)

    def check(run):
        assert run.artifact("write", "data")["uri"].startswith("s3://bucket/some/where/root-of-ones-own/")

    return Feature(pipeline=pipeline, pipeline_root="s3://bucket/some/where", logs={"read": "elsewhere", "say": "s3://bucket/some/where"}, check=check)


@feature
def missing_file() -> Feature:
    """Who writes no artifact has one all the same, as upstream; who reads it fails, and says so."""

    @dsl.container_component
    def nothing(data: dsl.Output[dsl.Dataset]):
        return dsl.ContainerSpec(image="alpine", command=["echo"], args=["nothing at", data.path])

    @dsl.pipeline(name="missing-file")
    def pipeline():
        read(data=nothing().outputs["data"])

    return Feature(pipeline=pipeline, state="FAILED", states={"nothing": "SUCCEEDED", "read": "FAILED"})
