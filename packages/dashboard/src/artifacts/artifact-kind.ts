import type { JsonValue, RunArtifact } from "@sluice/sdk";

/** What an artifact's metadata can be drawn as. */
export interface MetadataViews {
  readonly metrics: readonly (readonly [name: string, value: number])[];
  readonly confusion?: ConfusionMatrix;
  readonly roc?: readonly RocPoint[];
  /** What is none of these. */
  readonly rest: readonly (readonly [name: string, value: JsonValue])[];
}

/** How often what was what was taken for what: a row is the truth, a column the guess. */
export interface ConfusionMatrix {
  readonly labels: readonly string[];
  readonly rows: readonly (readonly number[])[];
}

/** One point of a receiver operating characteristic. */
export interface RocPoint {
  readonly falsePositiveRate: number;
  readonly recall: number;
  readonly threshold: number;
}

/** Reads metadata as Kubeflow's metric types write it. What does not fit is left as it is. */
export function viewsOf({ metadata = {}, schema_title: type }: Pick<RunArtifact, "metadata" | "schema_title">): MetadataViews {
  const isMetrics = type === "system.Metrics";
  const metrics: (readonly [string, number])[] = [];
  const rest: (readonly [string, JsonValue])[] = [];
  let confusion: ConfusionMatrix | undefined;
  let roc: readonly RocPoint[] | undefined;
  for (const [name, value] of Object.entries(metadata)) {
    if (name === "confusionMatrix" && (confusion = readConfusion(value)) !== undefined) continue;
    if (name === "confidenceMetrics" && (roc = readRoc(value)) !== undefined) continue;
    if (isMetrics && typeof value === "number") metrics.push([name, value]);
    else rest.push([name, value]);
  }
  return { metrics, rest, ...(confusion === undefined ? {} : { confusion }), ...(roc === undefined ? {} : { roc }) };
}

function readConfusion(value: JsonValue): ConfusionMatrix | undefined {
  const matrix = unwrap(value, "struct");
  const labels = listOf(fieldOf(matrix, "annotationSpecs")).map((spec) => String(fieldOf(spec, "displayName") ?? ""));
  const rows = listOf(fieldOf(matrix, "rows")).map((row) => listOf(Array.isArray(row) ? row : fieldOf(row, "row")).map(Number));
  const isSquare =
    labels.length > 0 && rows.length === labels.length && rows.every((row) => row.length === labels.length && row.every(Number.isFinite));
  return isSquare ? { labels, rows } : undefined;
}

function readRoc(value: JsonValue): readonly RocPoint[] | undefined {
  const points = listOf(unwrap(value, "list")).map((point): RocPoint => {
    const of = (name: string): number => Number(fieldOf(point, name) ?? 0);
    return { falsePositiveRate: of("falsePositiveRate"), recall: of("recall"), threshold: of("confidenceThreshold") };
  });
  const isCurve =
    points.length > 0 &&
    points.every(({ falsePositiveRate, recall }) => falsePositiveRate >= 0 && falsePositiveRate <= 1 && recall >= 0 && recall <= 1);
  return isCurve ? points.toSorted((one, other) => one.falsePositiveRate - other.falsePositiveRate || one.recall - other.recall) : undefined;
}

/** The area under a curve, by trapezoids, from (0, 0) to (1, 1). */
export function areaUnder(points: readonly RocPoint[]): number {
  let [area, x, y] = [0, 0, 0];
  for (const { falsePositiveRate, recall } of [...points, { falsePositiveRate: 1, recall: 1 }]) {
    area += ((falsePositiveRate - x) * (recall + y)) / 2;
    [x, y] = [falsePositiveRate, recall];
  }
  return area;
}

/** Kubeflow's older stores wrapped structures in an object of one field. */
function unwrap(value: JsonValue, field: string): JsonValue {
  return fieldOf(value, field) ?? value;
}

function fieldOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as { readonly [key: string]: JsonValue })[name] : undefined;
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** How an artifact's bytes are shown. */
export type Rendering = "html" | "markdown" | "image" | "json" | "text";

/** Chooses by what the artifact is and by the type that the server gives its bytes; undefined for what is not worth showing. */
export function renderingOf(type: string | undefined, contentType: string): Rendering | undefined {
  const mime = contentType.split(";")[0]?.trim() ?? "";
  if (type === "system.HTML" || mime === "text/html") return "html";
  if (type === "system.Markdown" || mime === "text/markdown") return "markdown";
  if (mime.startsWith("image/")) return "image";
  if (mime === "application/json") return "json";
  if (mime.startsWith("text/") || mime === "application/yaml" || mime === "application/x-ndjson") return "text";
  return undefined;
}

/** The bytes as text, if they are text: valid UTF-8 without control characters. A character that the end cuts in two is left out. */
export function textIn(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: isCut });
    // eslint-disable-next-line no-control-regex
    return /[\u0000-\u0008\u000e-\u001a]/u.test(text) ? undefined : text;
  } catch {
    return undefined; // Not UTF-8: something other than text.
  }
}
