/** What the address of a run's page says beside the run. */
export interface RunSearch {
  readonly view?: "tasks" | "details";
  /** The path of the selected task. */
  readonly task?: string;
  /** What of it is shown. */
  readonly tab?: "values" | "log";
  /** The path of the container that is looked into. */
  readonly in?: string;
}

/** Reads the address's search; what is wrong in it is ignored. */
export function readRunSearch(search: Readonly<Record<string, unknown>>): RunSearch {
  const { view, task, tab, in: scope } = search;
  return {
    ...(view === "tasks" || view === "details" ? { view } : {}),
    ...(typeof task === "string" && task !== "" ? { task } : {}),
    ...(tab === "values" || tab === "log" ? { tab } : {}),
    ...(typeof scope === "string" && scope !== "" && scope !== "root" ? { in: scope } : {}),
  };
}
