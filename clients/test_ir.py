"""What our SDK compiles is what Kubeflow itself accepts."""

import json
import os
import pathlib
import subprocess

import kfp
import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

ROOT = pathlib.Path(__file__).parent.parent
PRINT = 'import { compile } from "@sluice/sdk"; const { %s } = await import("%s"); process.stdout.write(compile(%s));'


def compiled(module: str, name: str) -> str:
    """The IR of a pipeline that a TypeScript module exports."""
    local = "chosen"
    program = PRINT % (f"{name}: {local}", (ROOT / module).as_uri(), local)
    command = [os.environ["NODE"], "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("module", "name"),
    [("examples/digits/src/pipeline.ts", "default"), ("packages/sdk/src/every-construct.fixture.ts", "everyConstruct")],
    ids=["digits", "every-construct"],
)
def test_kubeflow_accepts_our_ir(module, name, tmp_path):
    text = compiled(module, name)
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)
    component = kfp.components.load_component_from_file(str(file))
    assert component.name == yaml.safe_load(text)["pipelineInfo"]["name"]
    # Strict: a field that the protocol does not have is an error.
    spec = pipeline_spec_pb2.PipelineSpec()
    json_format.Parse(json.dumps(yaml.safe_load(text)), spec)
    json_format.Parse(json_format.MessageToJson(spec.deployment_spec), pipeline_spec_pb2.PipelineDeploymentConfig())
