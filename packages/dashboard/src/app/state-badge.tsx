import type { ReactNode } from "react";
import { Icon } from "./icons.tsx";
import { lookOf, type ShownState } from "./states.ts";
import classes from "./state-badge.module.css";

/** A state as a coloured drawing. */
export function StateIcon({ state, size = 18 }: { readonly state: ShownState | undefined; readonly size?: number }): ReactNode {
  const { icon, tone, label } = lookOf(state);
  return (
    <span className={classes["icon"]} data-tone={tone} role="img" aria-label={label} style={{ width: size, height: size }}>
      {icon === "spinner" ? <span className={classes["spinner"]} /> : <Icon name={icon} size={size * 0.68} />}
    </span>
  );
}

/** A state as a drawing and a word. */
export function StateBadge({ state }: { readonly state: ShownState | undefined }): ReactNode {
  const { icon, tone, label } = lookOf(state);
  return (
    <span className={classes["badge"]} data-tone={tone}>
      {icon === "spinner" ? <span className={classes["spinner"]} /> : <Icon name={icon} size={13} />}
      {label}
    </span>
  );
}
