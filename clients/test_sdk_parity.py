"""The TypeScript SDK's IR is what the Python SDK's is: the same pipeline in both, compared when names of components no longer matter."""

import json
import pathlib
import re

import yaml
from google.protobuf import json_format
from kfp import compiler, components, dsl, kubernetes
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from sdk_parity import parity
from test_ir import compiled

# How Python says again, to itself, what the image and the resources are.
REPEATED = {"base_image", "cpu_limit", "memory_limit"}
# What no server reads any more.
OLD = {"type", "count", "cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest"}
# Functions' sources are each language's own.
FUNCTIONS = {"launch", "leave"}


def meaning(path: pathlib.Path) -> dict:
    """The document as one tree, with components where they are used."""
    # Python numbers all blocks as one, we by their kinds.
    text = re.sub(r"\b(for-loop|exit-handler)-\d+\b", r"\1", path.read_text())
    spec, platform = list(yaml.safe_load_all(text))
    spec = json_format.MessageToDict(json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec()))
    kubernetes = platform["platforms"]["kubernetes"]
    executors = spec["deploymentSpec"]["executors"]

    def component(it: dict, name: str) -> dict:
        it = dict(it)
        for definitions in (it.get("inputDefinitions", {}), it.get("outputDefinitions", {})):
            for port in [*definitions.get("parameters", {}).values(), *definitions.get("artifacts", {}).values()]:
                # Python has no literals yet; what its PVC components' inputs are for is told in their documentation.
                port.pop("literals", None)
                if name in ("createpvc", "deletepvc"):
                    port.pop("description", None)
        if "dag" in it:
            return {**it, "dag": {**it["dag"], "tasks": {key: task(one, key) for key, one in it["dag"]["tasks"].items()}}}
        label = it.pop("executorLabel")
        executor = {} if name in FUNCTIONS else executors[label]
        resources = executor.get("container", {}).get("resources", {})
        for part in (resources, resources.get("accelerator", {})):
            for old in OLD & part.keys():
                del part[old]
        config = kubernetes["deploymentSpec"]["executors"].get(label, {})
        message = json_format.ParseDict(config, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
        return {**it, "executor": executor, "kubernetes": json_format.MessageToDict(message)}

    def task(it: dict, name: str) -> dict:
        inputs = it.get("inputs", {}).get("parameters", {})
        for repeated in REPEATED & inputs.keys():
            del inputs[repeated]
        return {**it, "componentRef": component(spec["components"][it["componentRef"]["name"]], name)}

    config = kubernetes.get("pipelineConfig")
    about = {key: spec.get(key) for key in ("pipelineInfo", "schemaVersion", "defaultPipelineRoot")}
    return {**about, "root": component(spec["root"], "root"), "pipelineConfig": config}


def differences(ours, theirs, at: str = "") -> list:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [found for key in sorted(ours.keys() | theirs.keys()) for found in differences(ours.get(key), theirs.get(key), f"{at}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [found for i, pair in enumerate(zip(ours, theirs)) for found in differences(*pair, f"{at}[{i}]")]
    return [] if value(ours) == value(theirs) else [(at, ours, theirs)]


def value(text):
    """JSON in a string, whatever its spaces."""
    return json.loads(text) if isinstance(text, str) and text.startswith(("{\"", "[")) else text


def test_the_same_pipeline_means_the_same(tmp_path):
    ours, theirs = tmp_path / "ours.yaml", tmp_path / "theirs.yaml"
    ours.write_text(compiled("packages/sdk/src/parity.fixture.ts", "parity"))
    compiler.Compiler().compile(parity, str(theirs))
    assert differences(meaning(ours), meaning(theirs)) == []
    assert components.load_component_from_file(str(ours)).name == "parity"


def test_no_name_of_the_dsl_is_forgotten():
    table = pathlib.Path(__file__).parent.parent / "packages/sdk/src/python-dsl.test.ts"
    known = set(re.findall(r"^  (\w+): ", table.read_text(), re.MULTILINE))
    methods = {name for name in vars(dsl.PipelineTask) if not name.startswith("_") and callable(getattr(dsl.PipelineTask, name))}
    assert {*dsl.__all__, *kubernetes.__all__, *methods} - known == set()
