import type { ReactNode } from "react";

/** The drawings, on a field of 24 by 24. */
const DRAWINGS = {
  archive: "M4 5h16v4H4zM6 9v10h12V9M10 13h4",
  arrowDown: "M12 5v14m-6-6 6 6 6-6",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  branch: "M7 4v16M7 14c0-4 10-3 10-8M17 6l-2.5 2M17 6l2.5 2",
  check: "m5 12.5 4.5 4.5L19 7.5",
  chevronDown: "m6 9 6 6 6-6",
  chevronLeft: "m15 6-6 6 6 6",
  chevronRight: "m9 6 6 6-6 6",
  chevronUp: "m6 15 6-6 6 6",
  clock: "M12 7v5l3.5 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  close: "m6 6 12 12M18 6 6 18",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  cross: "m7 7 10 10M17 7 7 17",
  dash: "M7 12h10",
  dots: "M5.5 12h1M11.5 12h1M17.5 12h1",
  download: "M12 4v11m-5-5 5 5 5-5M5 20h14",
  enter: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  folder: "M3 6h7l2 3h9v10H3z",
  graph: "M9 3h6v5H9zM3 16h6v5H3zM15 16h6v5h-6zM12 8v4M6 16v-4h12v4",
  grow: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  loop: "M17 3l3 3-3 3M20 6H8a4 4 0 0 0-4 4v1M7 21l-3-3 3-3M4 18h12a4 4 0 0 0 4-4v-1",
  monitor: "M3 5h18v11H3zM9 20h6M12 16v4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  play: "M8 5.5v13l10.5-6.5z",
  restore: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4",
  retry: "M20 12a8 8 0 1 1-2.5-5.8M20 4v4h-4",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20 20",
  shrink: "M20 10h-6V4M14 10l6-6M4 14h6v6M10 14l-6 6",
  skip: "M6 6v12l8-6zM17 6v12",
  stop: "M7 7h10v10H7z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  upload: "M12 16V4M7 9l5-5 5 5M5 20h14",
  wrap: "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4m2.5-2.5L13 18l2.5 2.5M4 18h4",
} as const;

/** The name of a drawing. */
export type IconName = keyof typeof DRAWINGS;

/** A drawing in the colour of the text around it; it says nothing to a screen reader, so label what holds it. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }): ReactNode {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.9}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      style={{ flex: "none", display: "block" }}
    >
      <path d={DRAWINGS[name]} />
    </svg>
  );
}
