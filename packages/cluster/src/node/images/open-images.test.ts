import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import type { ResolvedImage } from "./images.ts";
import { openImages } from "./open-images.ts";

const resolve = async (
  image: string,
  options: { command?: string[]; args?: string[]; profiles?: Record<string, string> } = {},
): Promise<ResolvedImage> => {
  const isolate = (): never => {
    throw new Error("nothing is to be installed");
  };
  const images = await openImages({ directory: tmpdir(), environment: {}, profiles: options.profiles, isolate });
  return images.resolve({ image, command: options.command, args: options.args, progress: () => {}, signal: new AbortController().signal });
};

test("Node is the one that runs this program", async () => {
  const image = await resolve("node:22", { args: ["-e", "1"] });
  expect(image).toMatchObject({ imageId: `profile://node/${process.versions.node}`, profile: "node", argv: ["node", "-e", "1"] });
  expect(image.note).toBe(`Node ${process.versions.node} of this machine runs instead of image node:22`);
  expect(image.env["PATH"]).toMatch(/^\/.*:\/usr\/local\/sbin/);
});

test("the shell's images run what the container says, else a shell", async () => {
  expect((await resolve("busybox")).argv).toEqual(["sh"]);
  expect((await resolve("debian:12", { command: ["ls"], args: ["/"] })).argv).toEqual(["ls", "/"]);
});

test("an image of which nothing is known is refused with the way out, which works", async () => {
  const refused = resolve("pytorch/pytorch:2.5");
  await expect(refused).rejects.toMatchObject({ name: "ImageError", reason: "ErrImagePull" });
  await expect(refused).rejects.toThrow(/python:\*, node:\*, alpine.*\{"pytorch\/pytorch": "python:3\.11"\}/);
  expect((await resolve("quay.io/team/tool:1", { profiles: { "quay.io/team/tool": "node:24" } })).profile).toBe("node");
  expect((await resolve("team/tool@sha256:" + "0".repeat(64), { profiles: { "team/tool": "alpine" } })).profile).toBe("shell");
});

test("what is no image name is said to be none", async () => {
  await expect(resolve("Not An Image")).rejects.toMatchObject({ reason: "InvalidImageName" });
  await expect(resolve("")).rejects.toMatchObject({ reason: "InvalidImageName" });
});
