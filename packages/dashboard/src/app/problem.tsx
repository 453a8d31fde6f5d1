import { Button } from "@mantine/core";
import type { ErrorComponentProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import classes from "./problem.module.css";

interface ProblemProps {
  readonly title: string;
  /** What the server said. */
  readonly message?: string;
  readonly action?: { readonly label: string; readonly onClick: () => void; readonly isBusy?: boolean };
  readonly children?: ReactNode;
}

/** Something that cannot be shown: what, why, and what to do. */
export function Problem({ title, message, action, children }: ProblemProps): ReactNode {
  return (
    <div className={classes["problem"]} role="alert">
      <h2>{title}</h2>
      {message === undefined ? null : <p className={classes["message"]}>{message}</p>}
      {children}
      {action === undefined ? null : (
        <Button variant="default" size="sm" onClick={action.onClick} loading={action.isBusy ?? false}>
          {action.label}
        </Button>
      )}
    </div>
  );
}

/** A mistake of this page itself. */
export function PageError({ error, reset }: ErrorComponentProps): ReactNode {
  return (
    <Problem
      title="This page has failed"
      message={error instanceof Error ? error.message : String(error)}
      action={{ label: "Try again", onClick: reset }}
    >
      <p>It is a mistake in the dashboard, not in your run. The browser&apos;s console says where.</p>
    </Problem>
  );
}
