import type { ReportedArtifact } from "../../../pipelines/src/engine/types.ts";
import type { ObservedPod } from "../../../pipelines/src/runner/kinds.ts";
import type { PodWork } from "../../../pipelines/src/world.fixture.ts";

const REPORT = `<!doctype html><meta charset="utf-8"><style>body{font:14px system-ui;margin:16px}td{padding:3px 10px;border:1px solid #ccc}</style>
<h2>Digits</h2><p id="who"></p><table><tr><td>train</td><td>8,000</td></tr><tr><td>test</td><td>2,000</td></tr></table>
<script>document.getElementById("who").textContent = "drawn by a script of origin " + self.origin</script>`;

const SUMMARY = `# The best model

It was trained with a rate of **0.1** and reads *97.2 %* of all digits, see [the data](https://example.com/mnist).

| rate | accuracy |
|---|---:|
| 0.01 | 0.912 |
| 0.1 | 0.972 |

1. prepare
2. train, three times:
   - \`0.01\`
   - \`0.1\`

> Digits that look alike are still mistaken: 4 and 9.

<script>alert("no")</script>

\`\`\`python
model.fit(x, y)
\`\`\`
`;

const CONFUSION = {
  annotationSpecs: ["one", "four", "nine"].map((displayName) => ({ displayName })),
  rows: [{ row: [198, 1, 1] }, { row: [2, 180, 18] }, { row: [0, 25, 175] }],
};
const ROC = [
  [1, 0, 0],
  [0.9, 0.01, 0.62],
  [0.7, 0.04, 0.83],
  [0.5, 0.09, 0.92],
  [0.3, 0.21, 0.97],
  [0.1, 0.55, 0.99],
].map(([confidenceThreshold, falsePositiveRate, recall]) => ({ confidenceThreshold, falsePositiveRate, recall }));

/** What the tasks of the digits pipeline do. */
export function digitsWork(options: { readonly fails?: string } = {}): (pod: ObservedPod) => PodWork {
  let trained = 0;
  let last = 0;
  return (pod) => {
    const files: Record<string, Uint8Array> = {};
    const artifact = (
      output: string,
      schemaTitle: string,
      content: string | Uint8Array | undefined,
      metadata: ReportedArtifact["metadata"] = {},
    ): ReportedArtifact => {
      const uri = `minio://bucket/${output}-${last++}/${output}`;
      if (content === undefined) return { output, name: output, type: { schemaTitle }, uri, metadata };
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      files[uri] = bytes;
      return { output, name: output, type: { schemaTitle }, uri, metadata, digest: "sha256:0", size: bytes.length };
    };
    const { name } = pod.metadata;
    if (options.fails !== undefined && name.includes(options.fails)) {
      const log = [
        `loading\u001b[33m model\u001b[0m`,
        "Traceback (most recent call last):",
        `  File "${options.fails}.py", line 12, in <module>`,
        "ValueError: could not convert string to float: 'seven'",
      ].join("\n");
      return { exitCode: 1, log: `${log}\n` };
    }
    if (name.includes("prepare"))
      return {
        parameters: { rows: 10_000 },
        artifacts: [artifact("digits", "system.Dataset", "label,pixels\n7,0 0 12 255\n2,0 3 99 1\n", { rows: 10_000 })],
        files,
        log: "10000 rows\n",
      };
    if (name.includes("train")) {
      const accuracy = [0.912, 0.972, 0.955, 0.941][trained++ % 4] ?? 0.9;
      const metadata = { accuracy, loss: 0.1234567, epochs: 5 };
      const log = Array.from(
        { length: 5 },
        (_, epoch) => `\u001b[36mepoch ${epoch + 1}/5\u001b[0m loss \u001b[1m${(1 / (epoch + 2)).toFixed(4)}\u001b[0m`,
      ).join("\n");
      return {
        parameters: { accuracy },
        artifacts: [
          artifact("model", "system.Model", new Uint8Array([0, 1, 2, 250, 251]), { framework: "numpy" }),
          artifact("metrics", "system.Metrics", undefined, metadata),
        ],
        files,
        log: `${log}\n`,
      };
    }
    if (name.includes("choose")) return { parameters: { best: 0.972 } };
    if (name.includes("evaluate")) {
      const directory = artifact("files", "system.Dataset", undefined);
      files[`${directory.uri}/part-0.json`] = new TextEncoder().encode('{"digit": 7, "guess": 1}');
      files[`${directory.uri}/part-1.txt`] = new TextEncoder().encode("plain text\n");
      return {
        artifacts: [
          artifact("scores", "system.ClassificationMetrics", undefined, { confusionMatrix: CONFUSION, confidenceMetrics: ROC } as never),
          artifact("report", "system.HTML", REPORT),
          artifact("summary", "system.Markdown", SUMMARY),
          artifact(
            "predictions",
            "system.Artifact",
            JSON.stringify([
              { digit: 7, guess: 7 },
              { digit: 4, guess: 9 },
            ]),
          ),
          directory,
        ],
        files,
        log: "evaluated\n",
      };
    }
    return { log: `${name}\n` };
  };
}
