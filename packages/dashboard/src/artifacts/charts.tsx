import type { ReactNode } from "react";
import { formatNumber } from "../app/format.ts";
import { areaUnder, type ConfusionMatrix, type RocPoint } from "./artifact-kind.ts";
import classes from "./charts.module.css";

const SIZE = 260;
const LEFT = 44;
const BOTTOM = 38;
const TOP = 10;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** A receiver operating characteristic, with the area under it. */
export function RocCurve({ points }: { readonly points: readonly RocPoint[] }): ReactNode {
  const x = (value: number): number => LEFT + value * SIZE;
  const y = (value: number): number => TOP + (1 - value) * SIZE;
  const path = [{ falsePositiveRate: 0, recall: 0 }, ...points, { falsePositiveRate: 1, recall: 1 }].map(
    ({ falsePositiveRate, recall }) => `${x(falsePositiveRate).toFixed(1)},${y(recall).toFixed(1)}`,
  );
  const area = areaUnder(points);
  return (
    <figure className={classes["figure"]}>
      <svg viewBox={`0 0 ${LEFT + SIZE + 12} ${TOP + SIZE + BOTTOM}`} role="img" aria-label={`ROC curve, area ${area.toFixed(3)}`}>
        {TICKS.map((tick) => (
          <g key={tick} className={classes["grid"]}>
            <line x1={x(tick)} x2={x(tick)} y1={y(0)} y2={y(1)} />
            <line x1={x(0)} x2={x(1)} y1={y(tick)} y2={y(tick)} />
            <text x={x(tick)} y={y(0) + 15} textAnchor="middle">
              {tick}
            </text>
            <text x={x(0) - 6} y={y(tick) + 3.5} textAnchor="end">
              {tick}
            </text>
          </g>
        ))}
        <text className={classes["axis"]} x={x(0.5)} y={TOP + SIZE + 33} textAnchor="middle">
          False positive rate
        </text>
        <text className={classes["axis"]} transform={`translate(11 ${y(0.5)}) rotate(-90)`} textAnchor="middle">
          True positive rate
        </text>
        <line className={classes["chance"]} x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        <polygon className={classes["area"]} points={[...path, `${x(1)},${y(0)}`, `${x(0)},${y(0)}`].join(" ")} />
        <polyline className={classes["curve"]} points={path.join(" ")} />
        {points.length > 60
          ? null
          : points.map(({ falsePositiveRate, recall, threshold }, index) => (
              <circle key={index} className={classes["point"]} cx={x(falsePositiveRate)} cy={y(recall)} r={3}>
                <title>{`threshold ${formatNumber(threshold)}: ${formatNumber(recall)} true, ${formatNumber(falsePositiveRate)} false positives`}</title>
              </circle>
            ))}
      </svg>
      <figcaption>
        Area under the curve <b>{area.toFixed(3)}</b>
      </figcaption>
    </figure>
  );
}

/** A confusion matrix; the darker a field, the larger its part of its row. */
export function ConfusionTable({ matrix: { labels, rows } }: { readonly matrix: ConfusionMatrix }): ReactNode {
  const total = rows.flat().reduce((sum, value) => sum + value, 0);
  const right = rows.reduce((sum, row, index) => sum + (row[index] ?? 0), 0);
  return (
    <figure className={classes["figure"]}>
      <div className={classes["scroll"]}>
        <table className={classes["matrix"]}>
          <thead>
            <tr>
              <th scope="col">
                <span className={classes["corner"]}>{"True\u00a0↓ Predicted\u00a0→"}</span>
              </th>
              {labels.map((label) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => {
              const sum = row.reduce((all, value) => all + value, 0);
              return (
                <tr key={labels[index]}>
                  <th scope="row">{labels[index]}</th>
                  {row.map((value, column) => {
                    const share = sum === 0 ? 0 : value / sum;
                    return (
                      <td
                        key={labels[column]}
                        data-right={column === index}
                        data-strong={share > 0.55}
                        style={{ "--share": `${Math.round(share * 100)}%` } as React.CSSProperties}
                        title={`${labels[index] ?? ""} taken for ${labels[column] ?? ""}: ${value} of ${sum}`}
                      >
                        {formatNumber(value)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <figcaption>
        Accuracy <b>{total === 0 ? "–" : (right / total).toFixed(3)}</b>, {formatNumber(right)} of {formatNumber(total)}
      </figcaption>
    </figure>
  );
}
