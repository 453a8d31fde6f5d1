import { Button, Group, SegmentedControl, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { useExperiments, useRuns } from "../api/use-runs.ts";
import { plural } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { Problem } from "../app/problem.tsx";
import { usePageTitle } from "../app/use-page-title.ts";
import { NoRuns } from "./no-runs.tsx";
import { RunsTable } from "./runs-table.tsx";
import classes from "./runs-page.module.css";

const PAGE_SIZE = 20;

/** Which runs the address asks for. */
export interface RunsSearch {
  readonly name?: string;
  readonly archived?: boolean;
  /** The tokens of the pages up to this one. */
  readonly pages?: readonly string[];
}

/** Reads the address's search; what is wrong in it is ignored. */
export function readRunsSearch(search: Readonly<Record<string, unknown>>): RunsSearch {
  const { name, archived, pages } = search;
  return {
    ...(name === undefined || name === "" ? {} : { name: String(name) }),
    ...(archived === true ? { archived: true } : {}),
    ...(Array.isArray(pages) && pages.length > 0 ? { pages: pages.map(String) } : {}),
  };
}

/** The runs, newest first; of one experiment, if one is given. */
export function RunsPage({ search, experimentId }: { readonly search: RunsSearch; readonly experimentId?: string }): ReactNode {
  const { name, archived = false, pages = [] } = search;
  const navigate = useNavigate();
  const go = (next: RunsSearch, replace = false): void => void navigate({ to: ".", search: () => next, replace });
  const token = pages.at(-1);
  const runs = useRuns({
    pageSize: PAGE_SIZE,
    storage: archived ? "ARCHIVED" : "AVAILABLE",
    ...(name === undefined ? {} : { name }),
    ...(token === undefined ? {} : { pageToken: token }),
    ...(experimentId === undefined ? {} : { experimentId }),
  });
  const experiments = useExperiments();
  const experiment = experimentId === undefined ? undefined : experiments.data?.get(experimentId)?.display_name;
  const title = experimentId === undefined ? "Runs" : `Runs of ${experiment ?? "an experiment"}`;
  usePageTitle(title);
  const { data } = runs;
  const isFiltered = name !== undefined || archived || experimentId !== undefined;

  return (
    <div className={classes["page"]}>
      <header className={classes["header"]}>
        <h1>{title}</h1>
        {experimentId === undefined ? null : (
          <Button variant="subtle" size="compact-sm" onClick={() => void navigate({ to: "/runs" })}>
            Show all runs
          </Button>
        )}
        <span className={classes["space"]} />
        <NameFilter name={name ?? ""} onChange={(text) => go(readRunsSearch({ name: text, archived }), true)} />
        <SegmentedControl
          size="sm"
          aria-label="Which runs"
          value={archived ? "archived" : "active"}
          onChange={(value) => go(readRunsSearch({ name, archived: value === "archived" }))}
          data={[
            { value: "active", label: "Current" },
            { value: "archived", label: "Archived" },
          ]}
        />
      </header>
      {runs.isError && data === undefined ? (
        <Problem
          title="The runs cannot be shown"
          message={runs.error.message}
          action={{ label: "Try again", onClick: () => void runs.refetch(), isBusy: runs.isFetching }}
        />
      ) : data !== undefined && data.runs.length === 0 ? (
        <NoRuns isFiltered={isFiltered} isArchive={archived} name={name} onClear={() => go({})} />
      ) : (
        <>
          <RunsTable runs={data?.runs} experiments={experiments.data} isStale={runs.isPlaceholderData} rows={PAGE_SIZE} />
          {data === undefined || (pages.length === 0 && data.nextPageToken === undefined) ? null : (
            <Group justify="flex-end" gap="xs" mt="md">
              <span className={classes["count"]}>
                {pages.length * PAGE_SIZE + 1}–{pages.length * PAGE_SIZE + data.runs.length} of {plural(data.total, "run")}
              </span>
              <Button
                variant="default"
                size="compact-md"
                leftSection={<Icon name="chevronLeft" />}
                disabled={pages.length === 0}
                onClick={() => go(readRunsSearch({ ...search, pages: pages.slice(0, -1) }))}
              >
                Newer
              </Button>
              <Button
                variant="default"
                size="compact-md"
                rightSection={<Icon name="chevronRight" />}
                disabled={data.nextPageToken === undefined || runs.isPlaceholderData}
                onClick={() => go({ ...search, pages: [...pages, data.nextPageToken ?? ""] })}
              >
                Older
              </Button>
            </Group>
          )}
        </>
      )}
    </div>
  );
}

const TYPING_MS = 250;

function NameFilter({ name, onChange }: { readonly name: string; readonly onChange: (name: string) => void }): ReactNode {
  const [text, setText] = useState(name);
  const [known, setKnown] = useState(name);
  if (known !== name) {
    setKnown(name);
    setText(name);
  }
  const change = useDebouncedCallback(onChange, TYPING_MS);
  return (
    <TextInput
      type="search"
      placeholder="Filter by name"
      aria-label="Filter by name"
      leftSection={<Icon name="search" />}
      className={classes["filter"] ?? ""}
      value={text}
      onChange={({ currentTarget: { value } }) => {
        setText(value);
        change(value);
      }}
    />
  );
}
