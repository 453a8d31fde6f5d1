import { useElementSize } from "@mantine/hooks";
import { useState, type RefCallback } from "react";

const OVERSCAN = 10;

/** Which rows of a long list are worth drawing. */
export interface VirtualRows {
  readonly ref: RefCallback<HTMLElement>;
  readonly onScroll: (event: React.UIEvent<HTMLElement>) => void;
  readonly from: number;
  readonly to: number;
}

/** Finds the rows that a scrolling box shows; all rows have the same height. */
export function useVirtualRows(count: number, rowHeight: number): VirtualRows {
  const [top, setTop] = useState(0);
  const { ref, height } = useElementSize();
  const first = Math.floor(top / rowHeight);
  return {
    ref,
    onScroll: ({ currentTarget }) => setTop(currentTarget.scrollTop),
    from: Math.max(0, Math.min(first, count) - OVERSCAN),
    to: Math.min(count, first + Math.ceil(height / rowHeight) + OVERSCAN),
  };
}
