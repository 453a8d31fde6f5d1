import type { ReactNode } from "react";
import classes from "./facts.module.css";

/** Names and values, one below the other. */
export function Facts({ children }: { readonly children: ReactNode }): ReactNode {
  return <dl className={classes["facts"]}>{children}</dl>;
}

/** One of them. */
export function Fact({
  name,
  isCode = false,
  children,
}: {
  readonly name: string;
  readonly isCode?: boolean;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div className={classes["fact"]}>
      <dt>{name}</dt>
      <dd data-code={isCode}>{children}</dd>
    </div>
  );
}
