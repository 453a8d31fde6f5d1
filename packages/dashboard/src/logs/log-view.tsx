import { ActionIcon, TextInput, Tooltip } from "@mantine/core";
import { useElementSize, useLocalStorage } from "@mantine/hooks";
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Icon, type IconName } from "../app/icons.tsx";
import type { TextPiece, TextStyle } from "./ansi.ts";
import { findLines } from "./log-buffer.ts";
import { LogRows } from "./log-rows.ts";
import type { Log } from "./use-log.ts";
import classes from "./log-view.module.css";

const ROW_HEIGHT = 18;
/** Rows drawn above and below what is seen. */
const OVERSCAN = 20;
const NUMBER_WIDTH = 56;
const PADDING = 12;
/** Browsers cannot scroll higher boxes; beyond, rows are found in proportion. */
const TALLEST = 12_000_000;

interface LogViewProps {
  readonly log: Log;
  readonly downloadUrl: string;
  readonly fileName: string;
  /** What to say when nothing was written. */
  readonly silence: string;
}

/** A log of any length: only what is seen is drawn. It follows what is written for as long as its end is in view. */
export function LogView({ log, downloadUrl, fileName, silence }: LogViewProps): ReactNode {
  const { buffer } = log;
  const [isWrapped, setWrapped] = useLocalStorage({ key: "sluice-log-wrap", defaultValue: true });
  const [isFollowing, setFollowing] = useState(true);
  const [query, setQuery] = useState("");
  const [hit, setHit] = useState(0);
  const [top, setTop] = useState(0);
  const { ref: sizer, width, height } = useElementSize();
  const frame = useRef<HTMLDivElement>(null);
  const [columnWidth] = useState(measureColumn);
  const columns = isWrapped ? Math.max(20, Math.floor((width - NUMBER_WIDTH - PADDING) / columnWidth)) : Infinity;

  const rows = useMemo(() => new LogRows(buffer, columns), [buffer, columns]);
  const count = rows.count();
  // Only what has come since is new to a search, but a log is searched faster than it is read.
  const hits = useMemo(() => findLines(log.buffer, query), [log, query]);
  const current = hits.length === 0 ? undefined : hits[Math.min(hit, hits.length - 1)];
  const boxHeight = Math.min(count * ROW_HEIGHT, TALLEST);
  const isScaled = boxHeight < count * ROW_HEIGHT;
  const rowAt = (offset: number): number =>
    isScaled ? Math.round((offset / Math.max(1, boxHeight - height)) * Math.max(0, count - height / ROW_HEIGHT)) : Math.floor(offset / ROW_HEIGHT);
  const first = rowAt(top);
  const from = Math.max(0, first - OVERSCAN);
  const to = Math.min(count, first + Math.ceil(height / ROW_HEIGHT) + OVERSCAN);

  const show = (line: number | undefined): void => {
    const box = frame.current;
    if (line === undefined || box === null) return;
    setFollowing(false);
    const row = rows.rowOf(line);
    const share = isScaled ? row / count : undefined;
    box.scrollTop = (share === undefined ? row * ROW_HEIGHT : share * boxHeight) - height / 2;
  };
  useLayoutEffect(() => {
    const box = frame.current;
    if (box !== null && isFollowing) box.scrollTop = box.scrollHeight;
  }, [isFollowing, log, count, height]);
  // Other columns put other lines where one was reading: find the place again.
  const anchor = useRef(0);
  useLayoutEffect(() => {
    if (!isFollowing) show(current ?? anchor.current);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [rows]);

  const step = (by: number): void => {
    if (hits.length === 0) return;
    const next = (hit + by + hits.length) % hits.length;
    setHit(next);
    show(hits[next]);
  };
  useEffect(() => {
    setHit(0);
    if (query !== "") show(findLines(buffer, query)[0]);
    // The view jumps when the question changes, not when more is written.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [query]);

  return (
    <div className={classes["log"]}>
      <div className={classes["tools"]} role="toolbar" aria-label="Log">
        <TextInput
          type="search"
          size="xs"
          placeholder="Search the log"
          aria-label="Search the log"
          leftSection={<Icon name="search" size={14} />}
          className={classes["search"] ?? ""}
          value={query}
          onChange={({ currentTarget: { value } }) => setQuery(value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
          }}
        />
        <span className={classes["hits"]} aria-live="polite">
          {query === "" ? "" : hits.length === 0 ? "no match" : `${Math.min(hit, hits.length - 1) + 1} of ${hits.length.toLocaleString("en-US")}`}
        </span>
        <Tool icon="chevronUp" label="Previous match" isDisabled={hits.length === 0} onClick={() => step(-1)} />
        <Tool icon="chevronDown" label="Next match" isDisabled={hits.length === 0} onClick={() => step(1)} />
        <span className={classes["space"]} />
        <Tool icon="wrap" label="Wrap long lines" isOn={isWrapped} onClick={() => setWrapped(!isWrapped)} />
        <Tool icon="arrowDown" label="Follow the end" isOn={isFollowing} onClick={() => setFollowing(!isFollowing)} />
        <Tooltip label="Download" withArrow openDelay={300}>
          <ActionIcon component="a" href={downloadUrl} download={fileName} variant="subtle" color="gray" aria-label="Download the log">
            <Icon name="download" />
          </ActionIcon>
        </Tooltip>
      </div>
      <div
        className={classes["frame"]}
        ref={(element) => {
          frame.current = element;
          sizer(element);
        }}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Log"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          setTop(scrollTop);
          anchor.current = rows.at(Math.min(rowAt(scrollTop) + Math.floor(height / ROW_HEIGHT / 2), Math.max(0, count - 1))).line;
          const isAtEnd = scrollHeight - scrollTop - clientHeight < ROW_HEIGHT;
          if (isAtEnd) setFollowing(true);
        }}
        onWheel={({ deltaY }) => deltaY < 0 && setFollowing(false)}
        onKeyDown={({ key }) => ["ArrowUp", "PageUp", "Home"].includes(key) && setFollowing(false)}
        onPointerDown={({ target, currentTarget }) => target === currentTarget && setFollowing(false)}
      >
        {count === 0 ? (
          <p className={classes["silence"]}>
            {log.state === "waiting" || log.state === "open" ? "Waiting for the first line…" : (log.problem ?? silence)}
          </p>
        ) : (
          <div className={classes["box"]} style={{ height: boxHeight }} data-wrapped={isWrapped}>
            <div
              className={classes["rows"]}
              style={{ transform: `translateY(${isScaled ? top - (first - from) * ROW_HEIGHT : from * ROW_HEIGHT}px)` }}
            >
              {Array.from({ length: Math.max(0, to - from) }, (_, index) => {
                const at = rows.at(from + index);
                return (
                  <div key={from + index} className={classes["row"]} data-current={at.line === current}>
                    <span className={classes["number"]}>{at.part === 0 ? at.line + 1 : ""}</span>
                    <span className={classes["text"]}>{draw(rows.pieces(at), query)}</span>
                  </div>
                );
              })}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}

interface ToolProps {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => void;
  readonly isOn?: boolean;
  readonly isDisabled?: boolean;
}

function Tool({ icon, label, onClick, isOn, isDisabled = false }: ToolProps): ReactNode {
  return (
    <Tooltip label={label} withArrow openDelay={300}>
      <ActionIcon
        variant={isOn === true ? "light" : "subtle"}
        color={isOn === true ? "cyan" : "gray"}
        disabled={isDisabled}
        onClick={onClick}
        aria-label={label}
        {...(isOn === undefined ? {} : { "aria-pressed": isOn })}
      >
        <Icon name={icon} />
      </ActionIcon>
    </Tooltip>
  );
}

/** How wide one character is. */
function measureColumn(): number {
  const probe = document.createElement("span");
  probe.className = classes["probe"] ?? "";
  probe.textContent = "0".repeat(100);
  document.body.append(probe);
  const { width } = probe.getBoundingClientRect();
  probe.remove();
  return width / 100;
}

function draw(pieces: readonly TextPiece[], query: string): ReactNode {
  return pieces.map(({ text, style }, index) => (
    <span key={index} style={cssOf(style)}>
      {query === "" ? text : marked(text, query.toLowerCase())}
    </span>
  ));
}

function marked(text: string, query: string): ReactNode {
  const parts: ReactNode[] = [];
  let from = 0;
  for (let at = text.toLowerCase().indexOf(query); at >= 0; at = text.toLowerCase().indexOf(query, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + query.length)}</mark>);
    from = at + query.length;
  }
  return [...parts, text.slice(from)];
}

function cssOf({ color, background, isBold, isDim, isItalic, isUnderlined, isInverse }: TextStyle): React.CSSProperties {
  const [front, back] = isInverse === true ? [background ?? "var(--code)", color ?? "currentcolor"] : [color, background];
  return {
    ...(front === undefined ? {} : { color: front }),
    ...(back === undefined ? {} : { background: back }),
    ...(isBold === true ? { fontWeight: 700 } : {}),
    ...(isDim === true ? { opacity: 0.65 } : {}),
    ...(isItalic === true ? { fontStyle: "italic" } : {}),
    ...(isUnderlined === true ? { textDecoration: "underline" } : {}),
  };
}
