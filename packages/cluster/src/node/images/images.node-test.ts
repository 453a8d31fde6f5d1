import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SandboxProcess } from "../sandbox/sandbox.ts";
import { finish, openTrial, podNamed, type Trial } from "../sandbox/trial.fixture.ts";
import type { Images, ResolvedImage } from "./images.ts";
import { openImages } from "./open-images.ts";

const INSTALL =
  '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n' +
  "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location 'kfp==2.14.3' '--no-deps' " +
  '\'typing-extensions>=3.7.4,<5; python_version<"3.9"\' && "$0" "$@"\n';
const RUN =
  'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n\n' +
  '_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"\n';
const COMPONENT = `
import kfp
from kfp import dsl
from kfp.dsl import *

def train(model: Output[Model], times: int) -> str:
    with open(model.path, "w") as file:
        file.write("weights")
    return "ab" * times
`;
const URI = "minio://bucket/v2/artifacts/run/model";
const INPUT = {
  inputs: { parameterValues: { times: 2 } },
  outputs: {
    artifacts: { model: { artifacts: [{ name: "model", type: { schemaTitle: "system.Model" }, uri: URI, metadata: {} }] } },
    outputFile: "/tmp/kfp/outputs/output_metadata.json",
  },
};

describe.each([["namespaces"], ["none"]] as const)("images with isolation %s", (isolation) => {
  let trial: Trial;
  let images: Images;
  beforeAll(async () => {
    trial = await openTrial({ allow: { isolation: isolation === "namespaces" } });
    expect(trial.sandboxes.features.isolation, trial.sandboxes.features.missing.join("\n")).toBe(isolation);
    images = await open();
  });
  afterAll(() => trial[Symbol.asyncDispose]());
  const open = (): Promise<Images> =>
    openImages({ directory: trial.directory, environment: process.env, isolate: (command) => trial.sandboxes.isolate(command) });
  const resolve = (image: string, command: readonly string[], lines: string[] = [], from = images): Promise<ResolvedImage> =>
    from.resolve({ image, command, progress: (line) => lines.push(line), signal: new AbortController().signal });
  const run = async (
    { argv, env, mounts }: ResolvedImage,
    more: Partial<SandboxProcess> = {},
  ): Promise<{ readonly code: number | null; readonly output: string }> => {
    const sandbox = await trial.sandboxes.ensure(podNamed("p"));
    return finish(
      sandbox.command({ container: "main", argv, limits: {}, ...more, env: { ...env, ...more.env }, mounts: [...mounts, ...(more.mounts ?? [])] }),
    );
  };

  test("node and the shell are this machine's", async () => {
    expect(await run(await resolve("node:24", ["node", "-p", "process.version"]))).toEqual({ code: 0, output: process.version });
    expect(await run(await resolve("alpine:3.20", ["sh", "-c", "echo $((6*7)) | tee /tmp/x && cat /tmp/x"]))).toEqual({ code: 0, output: "42\n42" });
  });

  test("the shell of Alpine knows more than Debian's", async () => {
    const script = 'if [[ "$0" == "a" ]]; then echo yes; fi; echo "a\\nb"';
    expect(await run(await resolve("alpine", ["sh", "-c", script, "a"]))).toEqual({ code: 0, output: "yes\na\\nb" });
  });

  test("a kfp component runs unchanged: its environment is built once for all that ask at once, and again never", async () => {
    const command = ["sh", "-c", INSTALL, "sh", "-ec", RUN, COMPONENT, "--executor_input", JSON.stringify(INPUT), "--function_to_execute", "train"];
    const lines: string[] = [];
    const other = await open();
    const all = await Promise.all(Array.from({ length: 50 }, (_, index) => resolve("python:3.11", command, lines, index === 0 ? other : images)));
    expect(new Set(all.map(({ imageId }) => imageId)).size).toBe(1);
    // Either the one that asks apart or the forty-nine that ask together have heard of the work.
    expect([1, 49]).toContain(lines.filter((line) => line.startsWith("Collecting kfp")).length);
    const again: string[] = [];
    const image = await resolve("python:3.11-slim", command, again);
    expect(again).toEqual([]);
    expect(image.imageId).toMatch(/^profile:\/\/python\/3\.\d+\.\d+\/[0-9a-f]{16}$/);
    expect(image.note).toMatch(/^Python 3\.\d+\.\d+ of this machine runs instead of image python:3.11-slim$/);

    const volume = join(trial.directory, "volume");
    mkdirSync(join(volume, "minio"), { recursive: true });
    mkdirSync(join(volume, "outputs"));
    const started = performance.now();
    const { code, output } = await run(image, {
      env: { SLUICE_ARTIFACT_ROOT: "/kfp/artifacts" },
      mounts: [
        { source: volume, target: "/kfp/artifacts", readOnly: false },
        { source: join(volume, "minio"), target: "/minio", readOnly: false },
        { source: join(volume, "outputs"), target: "/tmp/kfp/outputs", readOnly: false },
      ],
    });
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(performance.now() - started).toBeLessThan(2000);
    expect(readFileSync(join(volume, "minio/bucket/v2/artifacts/run/model"), "utf8")).toBe("weights");
    expect(JSON.parse(readFileSync(join(volume, "outputs/output_metadata.json"), "utf8"))).toMatchObject({
      parameterValues: { Output: "abab" },
      artifacts: { model: { artifacts: [{ uri: URI }] } },
    });
  });

  test("what a container installs beyond that is its own", async () => {
    const script =
      "set -e; pip install -q six==1.16.0; python3 -m pip install -q $(echo six==1.17.0); " +
      "python3 -c 'import six; print(six.__version__)'; pip install -q --user $(echo idna); python -c 'import idna; print(idna.__name__)'; pip uninstall -qy six idna; python3 -c 'import six; print(six.__version__)'";
    const image = await resolve("python", ["sh", "-c", script]);
    expect(await run(image)).toEqual({ code: 0, output: "1.17.0\nidna\n1.16.0" });
    expect(await run(image)).toEqual({ code: 0, output: "1.17.0\nidna\n1.16.0" });
  });

  test("a virtual environment of a container sees what the image has, if it is to", async () => {
    const script =
      'pip install -q six==1.16.0 && cd "$(mktemp -d)" && python3 -m venv --without-pip --system-site-packages with && python3 -m venv --without-pip without && ' +
      "with/bin/python -c 'import six; print(six.__version__)' && ! without/bin/python -c 'import six' 2>/dev/null";
    expect(await run(await resolve("python:3.11", ["sh", "-c", script]))).toEqual({ code: 0, output: "1.16.0" });
  });

  test("what cannot be installed fails with pip's words and leaves nothing", async () => {
    const failure = resolve("python:3.11", ["sh", "-c", "pip install sluice-has-no-such-package"]);
    await expect(failure).rejects.toMatchObject({
      name: "ImageError",
      reason: "ErrImagePull",
      message: expect.stringContaining("No matching distribution"),
    });
    const homes = readdirSync(join(trial.directory, "python")).filter((key) => existsSync(join(trial.directory, "python", key, "environment")));
    expect(homes.every((key) => existsSync(join(trial.directory, "python", key, "environment", "sluice-requests")))).toBe(true);
  });

  test("who no longer waits stops the work", async () => {
    const controller = new AbortController();
    const waiting = images.resolve({
      image: "python:3.11",
      command: ["sh", "-c", "pip install idna==3.9"],
      progress: (line) => line.startsWith("Collecting") && controller.abort(new Error("pod deleted")),
      signal: controller.signal,
    });
    await expect(waiting).rejects.toThrow("pod deleted");
    expect((await resolve("python:3.11", ["sh", "-c", "pip install idna==3.9"])).imageId).toContain("profile://python");
  });
});
