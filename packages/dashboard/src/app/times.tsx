import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import { formatAgo, formatDuration, formatTime } from "./format.ts";
import { useNow } from "./use-now.ts";

/** How long something took, or has taken so far, second by second. */
export function Duration({ start, end }: { readonly start: number | undefined; readonly end: number | undefined }): ReactNode {
  const now = useNow(start !== undefined && end === undefined);
  return start === undefined ? "–" : formatDuration((end ?? now) - start);
}

/** How long ago something was; its date and time on demand. */
export function Ago({ time }: { readonly time: number | undefined }): ReactNode {
  const now = useNow(true);
  if (time === undefined) return "–";
  return (
    <Tooltip label={formatTime(time)} withArrow openDelay={300}>
      <time dateTime={new Date(time).toISOString()}>{formatAgo(time, now)}</time>
    </Tooltip>
  );
}
