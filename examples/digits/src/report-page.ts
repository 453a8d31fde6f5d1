import { barChart, confusionChart, digitDrawing, escape, lineChart, type Axis } from "./charts.ts";

/** A trained candidate, as its model's metadata tells. */
export interface Trained {
  readonly name: string;
  readonly parameters: number;
  readonly validationAccuracy: number;
  /** By epoch. */
  readonly curve: readonly { readonly loss: number; readonly accuracy: number }[];
}

/** A test digit that was misread. */
export interface Mistake {
  readonly label: number;
  readonly guess: number;
  readonly confidence: number;
  /** Base64 of a byte per pixel. */
  readonly pixels: string;
}

/** All that the report shows. */
export interface ReportFacts {
  readonly best: string;
  readonly version: string;
  readonly candidates: readonly Trained[];
  readonly counts: readonly number[];
  readonly accuracy: number;
  readonly samples: number;
  readonly area: number;
  readonly confusion: readonly (readonly number[])[];
  readonly roc: readonly { readonly recall: number; readonly falsePositiveRate: number }[];
  readonly mistakes: readonly Mistake[];
}

const SHOWN_MISTAKES = 48;
const STYLES = 6;
const percent = (value: number, digits = 1): string => `${(value * 100).toFixed(digits)} %`;

/** The report of a run that published a model: one page that needs nothing else. */
export function reportPage(facts: ReportFacts): string {
  const { best, version, candidates, counts, accuracy, samples, area, confusion, roc, mistakes } = facts;
  const chosen = candidates.find(({ name }) => name === best);
  const figures = [
    [percent(chosen?.validationAccuracy ?? 0), "of validation, by which it was chosen"],
    [area.toFixed(4), "area under the ROC curve"],
    [`${mistakes.length}`, `misread of ${samples.toLocaleString("en")}`],
    [(chosen?.parameters ?? 0).toLocaleString("en"), "parameters"],
  ] as const;
  return page(`Digits: ${percent(accuracy)}`, [
    `<header><p class="kicker">Handwritten digits · model ${escape(version)}</p>
<h1>${percent(accuracy)}</h1><p class="lead">of ${samples.toLocaleString("en")} test digits read as they were written, by <b>${escape(best)}</b>. Nothing was trained on, or chosen by, these digits.</p>
<dl>${figures.map(([value, what]) => `<div><dt>${what}</dt><dd>${value}</dd></div>`).join("")}</dl></header>`,
    candidatesSection(candidates, best),
    section("What it confuses", `<div class="two"><div>${confusionChart(confusion)}</div><div>${worstPairs(confusion)}</div></div>`),
    section(
      "How sure it can be",
      `<div class="two">${figure("The whole curve", rocChart(roc, 1, 0))}${figure("Its corner, enlarged", rocChart(roc, 0.05, 0.8))}</div>
<p class="note">One digit against the rest, over all digits: how many are found, for how many false alarms.</p>`,
    ),
    section(mistakes.length === 0 ? "No mistakes" : "What it misread", mistakesGrid(mistakes)),
    section("What it learnt from", barChart(counts.map((value, digit) => ({ label: String(digit), value })))),
  ]);
}

/** The report of a run that published nothing. */
export function refusalPage({
  reason,
  candidates,
  best,
  threshold,
}: {
  readonly reason: string;
  readonly candidates: readonly Trained[];
  readonly best: string;
  readonly threshold: number;
}): string {
  return page("Digits: nothing published", [
    `<header><p class="kicker">Handwritten digits</p><h1>Nothing published</h1><p class="lead">${escape(reason[0]?.toUpperCase() ?? "")}${escape(reason.slice(1))}.</p></header>`,
    candidatesSection(candidates, best, threshold),
  ]);
}

function section(title: string, body: string): string {
  return `<section><h2>${escape(title)}</h2>${body}</section>`;
}

function figure(title: string, body: string): string {
  return `<figure><figcaption>${escape(title)}</figcaption>${body}</figure>`;
}

function candidatesSection(candidates: readonly Trained[], best: string, threshold?: number): string {
  const styleOf = (index: number): string => `s${index % STYLES}`;
  const worst = Math.min(threshold ?? 1, ...candidates.map(({ validationAccuracy }) => validationAccuracy));
  const width = (value: number): string => `${(10 + (90 * (value - worst)) / Math.max(1e-9, 1 - worst)).toFixed(1)}%`;
  const rows = candidates.map(({ name, parameters, validationAccuracy }, index) => {
    const mark = name === best ? ` <span class="mark">best</span>` : "";
    return `<tr><td><i class="key ${styleOf(index)}"></i>${escape(name)}${mark}</td><td class="n">${parameters.toLocaleString("en")}</td><td class="n">${percent(validationAccuracy, 2)}</td><td class="bar"><i class="${styleOf(index)}" style="width:${width(validationAccuracy)}"></i></td></tr>`;
  });
  const epochs = Math.max(2, ...candidates.map(({ curve }) => curve.length));
  const lowest = Math.min(...candidates.flatMap(({ curve }) => curve.map(({ accuracy }) => accuracy)));
  const from = Math.floor(lowest * 20) / 20;
  const step = Math.max(1, Math.ceil(epochs / 8));
  const x: Axis = { from: 1, to: epochs, ticks: range(1, epochs, step), label: "epoch", format: String };
  const y: Axis = {
    from,
    to: 1,
    ticks: range(from, 1.0001, from < 0.7 ? 0.1 : 0.05),
    label: "validation accuracy",
    format: (value) => percent(value, 0),
  };
  const lines = candidates.map(({ name, curve }, index) => ({
    title: name,
    style: `${styleOf(index)}${name === best ? " best" : ""}`,
    points: curve.map(({ accuracy }, epoch) => [epoch + 1, accuracy] as const),
  }));
  return section(
    "Candidates",
    `<div class="two"><div class="scroll"><table class="list"><thead><tr><th>candidate</th><th class="n">parameters</th><th class="n">validation</th><th></th></tr></thead><tbody>${rows.join("")}</tbody></table></div>${figure("Validation accuracy while learning", lineChart(x, y, lines))}</div>`,
  );
}

function rocChart(roc: ReportFacts["roc"], widest: number, lowest: number): string {
  const x: Axis = { from: 0, to: widest, ticks: range(0, widest * 1.0001, widest / 5), label: "false alarms", format: (value) => percent(value, 0) };
  const y: Axis = { from: lowest, to: 1, ticks: range(lowest, 1.0001, (1 - lowest) / 5), label: "found", format: (value) => percent(value, 0) };
  const chance = {
    title: "chance",
    style: "chance",
    points: [
      [0, 0],
      [1, 1],
    ] as const,
  };
  return lineChart(x, y, [
    chance,
    { title: "this model", style: "s0 best", points: roc.map(({ falsePositiveRate, recall }) => [falsePositiveRate, recall] as const) },
  ]);
}

function worstPairs(confusion: ReportFacts["confusion"]): string {
  const pairs = confusion.flatMap((row, label) =>
    row.map((count, guess) => ({ label, guess, count })).filter(({ guess, count }) => guess !== label && count > 0),
  );
  pairs.sort((a, b) => b.count - a.count);
  if (pairs.length === 0) return "<p>Nothing at all.</p>";
  const worst = pairs.slice(0, 8).map(({ label, guess, count }) => ({ label: `${label} read as ${guess}`, value: count }));
  return figure("Most often", barChart(worst));
}

function mistakesGrid(mistakes: readonly Mistake[]): string {
  if (mistakes.length === 0) return "<p>Every test digit was read as it was written.</p>";
  const items = mistakes.slice(0, SHOWN_MISTAKES).map(({ label, guess, confidence, pixels }) => {
    const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    const drawing = digitDrawing(bytes, Math.sqrt(bytes.length));
    return `<li title="written ${label}, read as ${guess} with ${percent(confidence)} confidence">${drawing}<span><b>${label}</b> → <em>${guess}</em></span><small>${percent(confidence, 0)}</small></li>`;
  });
  const rest = mistakes.length > SHOWN_MISTAKES ? `<p class="note">The ${SHOWN_MISTAKES} it was surest of, of ${mistakes.length}.</p>` : "";
  return `<ul class="digits">${items.join("")}</ul>${rest}`;
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
}

function page(title: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)}</title><style>${CSS}</style></head>
<body><main>
${sections.join("\n")}
<footer>Made by Sluice from MNIST digits.</footer>
</main></body>
</html>
`;
}

const CSS = `
:root { color-scheme: light dark; --paper: light-dark(#fbfaf7, #14161a); --card: light-dark(#fff, #1c1f25); --ink: light-dark(#1d2025, #e9e7e2); --soft: light-dark(#6a6f78, #9aa0aa); --line: light-dark(#e6e3dc, #2c3038);
  --right: light-dark(#2f6fde, #5b92f5); --wrong: light-dark(#d8452f, #ff7a63);
  --c0: light-dark(#2f6fde, #7aa8ff); --c1: light-dark(#e08a1e, #ffb454); --c2: light-dark(#1f9d74, #53d3a6); --c3: light-dark(#a04bd1, #cf95f2); --c4: light-dark(#d8452f, #ff8a75); --c5: light-dark(#5b6472, #aab2bf); }
* { box-sizing: border-box; } body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1060px; margin: auto; padding: 56px 24px 40px; }
.kicker, .note, footer, figcaption, dt, caption, small { color: var(--soft); } .kicker { margin: 0; letter-spacing: .04em; }
h1 { font-size: clamp(64px, 12vw, 128px); line-height: 1.05; letter-spacing: -.04em; margin: .08em 0 .12em; font-weight: 650; }
.lead { font-size: 20px; max-width: 40em; margin: 0 0 28px; text-wrap: pretty; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 0; }
dl div, section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 16px 18px; }
dl div { display: flex; flex-direction: column-reverse; justify-content: flex-end; } dt { font-size: 14px; line-height: 1.35; } dd { margin: 0; font-size: 28px; font-weight: 600; }
section { margin-top: 20px; padding: 22px 24px 26px; } h2 { font-size: 21px; margin: 0 0 14px; letter-spacing: -.01em; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 28px; align-items: start; } figure { margin: 0; } figcaption, caption { font-size: 14px; text-align: left; margin-bottom: 6px; } .note { font-size: 14px; margin: 12px 0 0; }
.scroll { overflow-x: auto; } table.list { border-collapse: collapse; width: 100%; } .list th { text-align: left; font-weight: 500; color: var(--soft); font-size: 14px; } .list td, .list th { padding: 9px 14px 9px 0; border-bottom: 1px solid var(--line); } .list .n { text-align: right; white-space: nowrap; }
.bar { width: 22%; min-width: 70px; padding-right: 0 !important; } .bar i, .bars i { display: block; height: 10px; border-radius: 5px; background: var(--c); } .key { display: inline-block; width: 10px; height: 10px; border-radius: 50%; background: var(--c); margin-right: 9px; } .mark { font-size: 12px; border: 1px solid currentColor; border-radius: 9px; padding: 0 7px; margin-left: 6px; color: var(--soft); white-space: nowrap; }
.s0 { --c: var(--c0); } .s1 { --c: var(--c1); } .s2 { --c: var(--c2); } .s3 { --c: var(--c3); } .s4 { --c: var(--c4); } .s5 { --c: var(--c5); }
.chart { width: 100%; height: auto; display: block; overflow: visible; } .chart text { font-size: 12px; fill: var(--soft); } .rule { stroke: var(--line); } .series { fill: none; stroke: var(--c); stroke-width: 1.6; stroke-linejoin: round; opacity: .8; } .series.best { stroke-width: 3.2; opacity: 1; } .chance { stroke: var(--soft); stroke-dasharray: 4 5; opacity: .6; }
.confusion { border-spacing: 3px; table-layout: fixed; width: 100%; max-width: 480px; text-align: center; font-size: 14px; } .confusion th { font-weight: 500; color: var(--soft); } .confusion td { height: 36px; border-radius: 6px; padding: 0; } .confusion tbody td { background: color-mix(in srgb, var(--line) 40%, transparent); } .confusion tbody td.right { background: color-mix(in srgb, var(--right) var(--strength), var(--card)); color: #fff; } .confusion tbody td.wrong { background: color-mix(in srgb, var(--wrong) var(--strength), var(--card)); }
.bars { list-style: none; margin: 0; padding: 0; --c: var(--c0); } .bars li { display: grid; grid-template-columns: max-content 1fr 3.5em; gap: 12px; align-items: center; padding: 4px 0; } .bars span { min-width: 1.2em; } .bars b { text-align: right; font-weight: 500; }
.digits { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); gap: 10px; } .digits li { border: 1px solid var(--line); border-radius: 10px; padding: 8px; display: grid; grid-template-columns: 1fr auto; align-items: baseline; font-size: 14px; white-space: nowrap; } .digits svg { grid-column: 1 / -1; width: 100%; fill: var(--ink); } .digits em { font-style: normal; color: var(--wrong); font-weight: 600; } .digits small { font-size: 11px; }
footer { margin-top: 28px; font-size: 14px; }
@media print { section, dl div { break-inside: avoid; } }
`;
