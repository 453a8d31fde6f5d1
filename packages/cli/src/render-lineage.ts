import type { ArtifactLineage, RunArtifact } from "@sluice/sdk";
import { clean } from "./task-tree.ts";

/** An artifact's way as a tree: each task below what it made, or what it took. What was shown before is not opened again. */
export function renderLineage(lineage: ArtifactLineage, direction: "UPSTREAM" | "DOWNSTREAM"): string {
  const { artifact, tasks = [], links = [] } = lineage;
  const [near, far] = direction === "UPSTREAM" ? (["OUTPUT", "INPUT"] as const) : (["INPUT", "OUTPUT"] as const);
  const artifacts = new Map([...(lineage.artifacts ?? []), artifact].map((each) => [each.artifact_id, each]));
  const nameOf = new Map(
    tasks.map(({ task_id: id, run_id: run, name, display_name: shown = name }) => [id, `${shown ?? "a task of a deleted run"}  run ${run}`]),
  );
  const ofArtifact = Map.groupBy(
    links.filter(({ type }) => type === near),
    ({ artifact_id: id }) => id,
  );
  const ofTask = Map.groupBy(
    links.filter(({ type }) => type === far),
    ({ task_id: id }) => id,
  );
  const shown = new Set<string>();
  const lines: string[] = [];
  const tell = (text: string, lead: string, branch: string): void => void lines.push(clean(`${lead}${branch}${text}`));
  const showArtifact = (id: string, key: string, [lead, branch, below]: readonly [string, string, string]): void => {
    const isKnown = shown.has(`artifact ${id}`);
    tell(`${key === "" ? "" : `${key}: `}${titleOf(artifacts.get(id), id)}${isKnown && ofArtifact.has(id) ? "  (see above)" : ""}`, lead, branch);
    if (isKnown) return;
    shown.add(`artifact ${id}`);
    const ids = [...new Set((ofArtifact.get(id) ?? []).map(({ task_id: task }) => task))];
    ids.forEach((task, index) => showTask(task, branches(lead + below, index === ids.length - 1)));
  };
  const showTask = (id: string, [lead, branch, below]: readonly [string, string, string]): void => {
    const isKnown = shown.has(`task ${id}`);
    tell(`${nameOf.get(id) ?? id}${isKnown && ofTask.has(id) ? "  (see above)" : ""}`, lead, branch);
    if (isKnown) return;
    shown.add(`task ${id}`);
    const own = ofTask.get(id) ?? [];
    own.forEach(({ artifact_id: artifactId, artifact_key: key }, index) =>
      showArtifact(artifactId, key, branches(lead + below, index === own.length - 1)),
    );
  };
  showArtifact(artifact.artifact_id, "", ["", "", ""]);
  if (lineage.truncated === true) lines.push("… and more: look from an artifact nearer to it, or with a smaller --depth");
  return `${lines.join("\n")}\n`;
}

function branches(lead: string, isLast: boolean): readonly [string, string, string] {
  return isLast ? [lead, "└─ ", "   "] : [lead, "├─ ", "│  "];
}

function titleOf(artifact: RunArtifact | undefined, id: string): string {
  return artifact === undefined ? `${id} (deleted)` : `${artifact.type ?? "Artifact"} ${artifact.uri ?? ""}  ${id}`;
}
