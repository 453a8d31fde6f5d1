import { onlineManager } from "@tanstack/react-query";
import { useSyncExternalStore, type ReactNode } from "react";
import classes from "./offline-banner.module.css";

/** Says that the server does not answer, until it does. What is shown below is as it last was. */
export function OfflineBanner(): ReactNode {
  const isOnline = useSyncExternalStore(
    (listener) => onlineManager.subscribe(listener),
    () => onlineManager.isOnline(),
  );
  return (
    <div role="status" aria-live="polite">
      {isOnline ? null : (
        <div className={classes["banner"]}>
          <span className={classes["pulse"]} />
          <span>
            <b>Sluice does not answer.</b> You see the last state; this page goes on by itself once the server is back. Start it with{" "}
            <code>npx sluice up</code>.
          </span>
        </div>
      )}
    </div>
  );
}
