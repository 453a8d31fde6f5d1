import { ActionIcon, Tooltip } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { JsonValue, RunArtifact } from "@sluice/sdk";
import { formatBytes, formatNumber, formatValue } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { viewsOf } from "./artifact-kind.ts";
import { ArtifactPreview } from "./artifact-preview.tsx";
import { ConfusionTable, RocCurve } from "./charts.tsx";
import { downloadUrl } from "./download-url.ts";
import classes from "./artifact-card.module.css";

/** Metric artifacts are all metadata; their files are empty. */
const WITHOUT_FILE = /^system\.(?:Metrics|ClassificationMetrics|SlicedClassificationMetrics)$/u;
/** What is opened at once; the rest waits for a click. */
const OPEN_AT_ONCE = /^system\.(?:HTML|Markdown)$/u;

/** An artifact: what it is, what is known of it, and on demand what is in it. */
export function ArtifactCard({ artifact, outputKey }: { readonly artifact: RunArtifact; readonly outputKey: string }): ReactNode {
  const { schema_title: type = "system.Artifact", size, uri, artifact_id: id } = artifact;
  const views = viewsOf(artifact);
  const hasFile = !(WITHOUT_FILE.test(type) && Number(size ?? 0) === 0);
  const [isOpen, setOpen] = useState(OPEN_AT_ONCE.test(type));
  return (
    <section className={classes["card"]} aria-label={`Artifact ${outputKey}`}>
      <header className={classes["header"]}>
        <span className={classes["name"]} title={uri}>
          {outputKey}
        </span>
        <span className={classes["type"]}>{type.replace(/^system\./u, "")}</span>
        {size === undefined || !hasFile ? null : <span className={classes["size"]}>{formatBytes(Number(size))}</span>}
        <span className={classes["space"]} />
        {hasFile ? (
          <>
            <button type="button" className={classes["toggle"]} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              {isOpen ? "Hide" : "Preview"}
            </button>
            <Tooltip label="Download" withArrow openDelay={300}>
              <ActionIcon component="a" href={downloadUrl(id)} download variant="subtle" color="gray" aria-label={`Download ${outputKey}`}>
                <Icon name="download" />
              </ActionIcon>
            </Tooltip>
          </>
        ) : null}
      </header>
      {views.metrics.length === 0 ? null : (
        <dl className={classes["metrics"]}>
          {views.metrics.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{formatNumber(value)}</dd>
            </div>
          ))}
        </dl>
      )}
      {views.confusion === undefined ? null : <ConfusionTable matrix={views.confusion} />}
      {views.roc === undefined ? null : <RocCurve points={views.roc} />}
      {views.rest.length === 0 ? null : <Metadata entries={views.rest} />}
      {isOpen && hasFile ? <ArtifactPreview artifact={artifact} /> : null}
    </section>
  );
}

function Metadata({ entries }: { readonly entries: readonly (readonly [string, JsonValue])[] }): ReactNode {
  return (
    <dl className={classes["metadata"]}>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{formatValue(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
