import type { ReactNode } from "react";
import { lookOf, type ShownState } from "../app/states.ts";
import type { StateCounts } from "./task-tree.ts";
import classes from "./state-bar.module.css";

const ORDER: readonly ShownState[] = ["SUCCEEDED", "CACHED", "FAILED", "RUNNING", "CANCELED", "SKIPPED", "PENDING", "NONE"];

/** How many are in which state, as one bar. */
export function StateBar({ counts }: { readonly counts: StateCounts }): ReactNode {
  const parts = ORDER.flatMap((state) => {
    const count = counts.get(state) ?? 0;
    return count === 0 ? [] : [{ state, count }];
  });
  const text = parts.map(({ state, count }) => `${count} ${lookOf(state).label.toLowerCase()}`).join(", ");
  return (
    <span className={classes["bar"]} role="img" aria-label={text} title={text}>
      {parts.map(({ state, count }) => (
        <span key={state} className={classes["part"]} data-tone={lookOf(state).tone} data-state={state} style={{ flexGrow: count }} />
      ))}
    </span>
  );
}
