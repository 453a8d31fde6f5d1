import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";

/** Writes an OCI archive whose one layer holds one program, `/manager`, and nothing else: no shell, no libraries, no root. */
export async function writeImageArchive(path: string, program: string): Promise<void> {
  const layerPath = `${path}.layer`;
  const layer = pack();
  const writing = pipeline(layer, createWriteStream(layerPath));
  const entry = layer.entry({ name: "manager", mode: 0o755, size: statSync(program).size });
  await pipeline(createReadStream(program), entry);
  layer.finalize();
  await writing;
  const layerBytes = await readFile(layerPath);
  rmSync(layerPath);
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } => {
    const digest = createHash("sha256").update(bytes).digest("hex");
    blobs.set(digest, bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const architecture = arch() === "x64" ? "amd64" : arch();
  const layerDescriptor = add("application/vnd.oci.image.layer.v1.tar", layerBytes);
  const config = add(
    "application/vnd.oci.image.config.v1+json",
    json({
      architecture,
      os: "linux",
      config: { User: "65532:65532", WorkingDir: "/", Entrypoint: ["/manager"] },
      rootfs: { type: "layers", diff_ids: [layerDescriptor.digest] },
    }),
  );
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = add(manifestType, json({ schemaVersion: 2, mediaType: manifestType, config, layers: [layerDescriptor] }));
  const archive = pack();
  const saving = pipeline(archive, createWriteStream(path));
  archive.entry({ name: "oci-layout" }, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  archive.entry({ name: "index.json" }, JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  for (const [digest, bytes] of blobs) archive.entry({ name: `blobs/sha256/${digest}` }, bytes);
  archive.finalize();
  await saving;
}
