import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Container, Pod, PodSpec } from "@sluice/kubernetes";
import { buildImage, layoutOf, PLATFORM, tarOf, type ImagePlan } from "./images/oci/image.fixture.ts";
import { ImageStore } from "./images/oci/image-store.ts";
import { loadArchive } from "./images/oci/load-archive.ts";
import { OciImages } from "./images/oci/oci-images.ts";
import { openImages } from "./images/open-images.ts";
import { openTrial, type Trial } from "./sandbox/trial.fixture.ts";
import { logOf, openWorld, podOn, statusOf, untilPhase, type World } from "./world.fixture.ts";

const BUSYBOX = "/bin/busybox";
const PROGRAMS = ["cat", "env", "grep", "hostname", "id", "ls", "mount", "ps", "pwd", "sh", "sleep", "tail", "touch", "wget"];

let home: string;
let trial: Trial;
let store: ImageStore;
let world: World;

beforeEach(async () => {
  expect(existsSync(BUSYBOX), "apt-get install busybox-static").toBe(true);
  home = mkdtempSync(join(tmpdir(), "sluice-oci-"));
  trial = await openTrial({ directory: join(home, "sandboxes"), hidden: [home] });
  expect(trial.sandboxes.features.images, "apt-get install crun").toBe("crun");
  store = new ImageStore(join(home, "images"));
  await load("team/box:1", {});
  const pull = (): never => {
    throw new Error("nothing is to be pulled");
  };
  const images = await openImages({
    directory: join(home, "profiles"),
    environment: {},
    isolate: (process) => trial.sandboxes.isolate(process),
    oci: new OciImages(store, { pull }),
  });
  world = await openWorld({ directory: join(home, "node"), sandboxes: trial.sandboxes, images });
});
afterEach(async () => {
  await world.clear();
  await world[Symbol.asyncDispose]();
  await trial[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
  expect(world.errors).toEqual([]);
});

async function load(name: string, { layers = [], ...plan }: Partial<ImagePlan>): Promise<void> {
  const base = [
    { name: "bin/busybox", content: readFileSync(BUSYBOX), mode: 0o755 },
    ...PROGRAMS.map((program) => ({ name: `bin/${program}`, type: "symlink" as const, linkname: "busybox" })),
  ];
  const image = await buildImage({ layers: [base, ...layers], ...plan });
  const path = join(home, "image.tar");
  writeFileSync(path, await tarOf(layoutOf(image, name)));
  await loadArchive(store, path, { platform: PLATFORM });
}

function box(script: string, more: Partial<Container> = {}): Container {
  return { name: "main", image: "team/box:1", command: ["sh", "-c", script], ...more };
}

async function run(container: Container, spec: Partial<PodSpec> = {}): Promise<{ readonly pod: Pod; readonly log: string }> {
  const { Pod: resource } = await import("@sluice/kubernetes");
  await world.client.create(resource, podOn("a", { containers: [container], ...spec }));
  const pod = await untilPhase(world.client, "a", "Succeeded");
  return { pod, log: await logOf(world, "a") };
}

test("a container runs from an image that was loaded", async () => {
  const { pod, log } = await run(box("echo hello; id -u; ps; touch /new && ls /"));
  expect(log).toContain("hello\n0\n");
  expect(log).toContain("new\n");
  expect(statusOf(pod).imageID).toMatch(/^docker\.io\/team\/box@sha256:[0-9a-f]{64}$/);
});
