import { Loader } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import type { ArtifactFile, PipelinesClient, RunArtifact } from "@sluice/sdk";
import { useServices } from "../api/services.ts";
import { formatBytes } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { renderingOf, textIn, type Rendering } from "./artifact-kind.ts";
import { downloadUrl } from "./download-url.ts";
import { MarkdownView } from "./markdown-view.tsx";
import classes from "./artifact-preview.module.css";

/** What of a text is shown. */
const MOST_BYTES = 256 * 1024;

/** What is in an artifact. */
type Content =
  | { readonly type: "directory"; readonly files: readonly ArtifactFile[] }
  | { readonly type: "html" | "image" | "binary" }
  | { readonly type: Exclude<Rendering, "html" | "image">; readonly text: string; readonly isCut: boolean };

/** Shows what is in an artifact, or in one file of it. */
export function ArtifactPreview({ artifact, path }: { readonly artifact: RunArtifact; readonly path?: string }): ReactNode {
  const { pipelines } = useServices();
  const { artifact_id: id, schema_title: type } = artifact;
  const { data, error } = useQuery({
    queryKey: ["artifact", id, path],
    queryFn: () => readContent(pipelines, { id, type: path === undefined ? type : undefined, path }),
    staleTime: Infinity,
  });
  if (error !== null) return <p className={classes["note"]}>{error.message}</p>;
  if (data === undefined) {
    return (
      <div className={classes["note"]}>
        <Loader size="xs" />
      </div>
    );
  }
  const url = downloadUrl(id, path);
  switch (data.type) {
    case "directory":
      return <Directory artifact={artifact} files={data.files} />;
    case "html":
      // Somebody else's page: it may run, but as nobody, and reaches nothing of this one.
      return (
        <div className={classes["page"]}>
          <iframe src={url} sandbox="allow-scripts" title={`Content of ${artifact.name ?? "the artifact"}`} />
        </div>
      );
    case "image":
      return <img className={classes["image"]} src={url} alt={`Content of ${artifact.name ?? "the artifact"}`} />;
    case "binary":
      return <p className={classes["note"]}>This is not text, so there is no preview. Download it to look inside.</p>;
    case "markdown":
      return <MarkdownView text={data.text} />;
    case "json":
    case "text":
      return (
        <>
          <pre className={classes["text"]} tabIndex={0} aria-label="Content">
            {data.type === "json" && !data.isCut ? pretty(data.text) : data.text}
          </pre>
          {data.isCut ? <p className={classes["note"]}>These are its first {formatBytes(MOST_BYTES)}. Download it for all of it.</p> : null}
        </>
      );
  }
}

function Directory({ artifact, files }: { readonly artifact: RunArtifact; readonly files: readonly ArtifactFile[] }): ReactNode {
  const [open, setOpen] = useState<string>();
  if (files.length === 0) return <p className={classes["note"]}>Nothing is stored at {artifact.uri}.</p>;
  return (
    <ul className={classes["files"]}>
      {files.map(({ path, size }) => (
        <li key={path}>
          <div className={classes["file"]}>
            <button type="button" aria-expanded={open === path} onClick={() => setOpen(open === path ? undefined : path)}>
              <Icon name={open === path ? "chevronDown" : "chevronRight"} size={14} />
              {path}
            </button>
            <span>{size === undefined ? "" : formatBytes(Number(size))}</span>
            <a href={downloadUrl(artifact.artifact_id, path)} download aria-label={`Download ${path}`}>
              <Icon name="download" size={14} />
            </a>
          </div>
          {open === path ? <ArtifactPreview artifact={artifact} path={path} /> : null}
        </li>
      ))}
    </ul>
  );
}

interface ReadOptions {
  readonly id: string;
  readonly type: string | undefined;
  readonly path: string | undefined;
}

/** Reads no more than is shown. */
async function readContent(pipelines: PipelinesClient, { id, type, path }: ReadOptions): Promise<Content> {
  // A directory as a whole would come as an archive.
  const files = path === undefined ? await pipelines.artifactFiles(id) : [];
  if (files.length > 0) return { type: "directory", files };
  const response = await pipelines.artifact(id, path === undefined ? {} : { path });
  const rendering = renderingOf(type, response.headers.get("content-type") ?? "");
  if (rendering === "html" || rendering === "image") {
    await response.body?.cancel();
    return { type: rendering };
  }
  const { bytes, isCut } = await readSome(response);
  const text = textIn(bytes, isCut);
  return text === undefined ? { type: "binary" } : { type: rendering ?? (looksLikeJson(text) ? "json" : "text"), text, isCut };
}

async function readSome({ body }: Response): Promise<{ readonly bytes: Uint8Array; readonly isCut: boolean }> {
  if (body === null) return { bytes: new Uint8Array(), isCut: false };
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    size += next.value.length;
    if (size <= MOST_BYTES) continue;
    await reader.cancel();
    return { bytes: new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()).subarray(0, MOST_BYTES), isCut: true };
  }
  return { bytes: new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), isCut: false };
}

function looksLikeJson(text: string): boolean {
  return /^\s*[[{]/u.test(text) && pretty(text) !== text;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // Not JSON after all: as it is.
  }
}
