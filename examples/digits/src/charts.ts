/** A line of a chart; `style` is a CSS class. */
export interface Series {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly style: string;
  readonly title: string;
}

/** What a chart's axis shows. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  readonly label: string;
  readonly format: (value: number) => string;
}

const WIDTH = 480;
const HEIGHT = 300;
const MARGIN = { left: 52, right: 14, top: 12, bottom: 44 };

/** Text as HTML shows it. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Lines over two axes; what lies outside them is cut off. */
export function lineChart(x: Axis, y: Axis, series: readonly Series[]): string {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const atX = (value: number): string => (MARGIN.left + ((value - x.from) / (x.to - x.from)) * (right - MARGIN.left)).toFixed(1);
  const atY = (value: number): string => (bottom - ((value - y.from) / (y.to - y.from)) * (bottom - MARGIN.top)).toFixed(1);
  const rows = y.ticks.map(
    (tick) =>
      `<line class="rule" x1="${MARGIN.left}" x2="${right}" y1="${atY(tick)}" y2="${atY(tick)}"/><text x="${MARGIN.left - 8}" y="${atY(tick)}" text-anchor="end" dy=".32em">${y.format(tick)}</text>`,
  );
  const columns = x.ticks.map((tick) => `<text x="${atX(tick)}" y="${bottom + 18}" text-anchor="middle">${x.format(tick)}</text>`);
  const lines = series.map(
    ({ points, style, title }) =>
      `<polyline class="series ${style}" points="${points.map(([px, py]) => `${atX(px)},${atY(py)}`).join(" ")}"><title>${escape(title)}</title></polyline>`,
  );
  const clip = `c${Math.abs(Math.round(x.to * 1e4) + Math.round(y.from * 1e4))}`;
  return `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(`${y.label} by ${x.label}`)}">
<clipPath id="${clip}"><rect x="${MARGIN.left}" y="${MARGIN.top - 2}" width="${right - MARGIN.left + 2}" height="${bottom - MARGIN.top + 2}"/></clipPath>
${rows.join("")}${columns.join("")}<g clip-path="url(#${clip})">${lines.join("")}</g>
<text class="axis" x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escape(x.label)}</text>
</svg>`;
}

/** A matrix of counts as a heat map: what is on the diagonal is right. */
export function confusionChart(rows: readonly (readonly number[])[]): string {
  const most = Math.max(1, ...rows.flatMap((row, r) => row.filter((_, c) => c !== r)));
  const cell = (count: number, isRight: boolean): string => {
    if (count === 0) return "<td></td>";
    const strength = isRight ? 70 : Math.round(15 + (70 * count) / most);
    return `<td class="${isRight ? "right" : "wrong"}" style="--strength:${strength}%">${count}</td>`;
  };
  const body = rows.map((row, r) => `<tr><th scope="row">${r}</th>${row.map((count, c) => cell(count, r === c)).join("")}</tr>`);
  return `<table class="confusion"><caption>down: what was written; across: what was read</caption><thead><tr><td></td>${rows.map((_, c) => `<th scope="col">${c}</th>`).join("")}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

/** Bars from zero, each with its label and its number. */
export function barChart(values: readonly { readonly label: string; readonly value: number }[]): string {
  const most = Math.max(...values.map(({ value }) => value));
  const bars = values.map(
    ({ label, value }) =>
      `<li><span>${escape(label)}</span><i style="width:${((100 * value) / most).toFixed(1)}%"></i><b>${value.toLocaleString("en")}</b></li>`,
  );
  return `<ul class="bars">${bars.join("")}</ul>`;
}

const SHADES = 6;

/** An image of a byte per pixel as a drawing: a path of runs for every shade. */
export function digitDrawing(pixels: Uint8Array, side: number): string {
  const paths = Array.from({ length: SHADES + 1 }, () => "");
  const shadeAt = (x: number, y: number): number => (x < side ? Math.round(((pixels[y * side + x] ?? 0) / 255) * SHADES) : 0);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side;) {
      const shade = shadeAt(x, y);
      let end = x + 1;
      while (end < side && shadeAt(end, y) === shade) end++;
      paths[shade] += `M${x} ${y}h${end - x}v1H${x}z`;
      x = end;
    }
  }
  const drawn = paths.map((path, shade) => (shade === 0 || path === "" ? "" : `<path opacity="${(shade / SHADES).toFixed(2)}" d="${path}"/>`));
  return `<svg viewBox="0 0 ${side} ${side}" shape-rendering="crispEdges" aria-hidden="true">${drawn.join("")}</svg>`;
}
