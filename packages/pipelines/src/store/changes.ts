/** Something that was created, changed or deleted. */
export interface Change {
  readonly kind: "Pipeline" | "PipelineVersion" | "RecurringRun";
  readonly id: string;
}

/** Tells of changes once they are on disk. */
export class Changes {
  readonly #listeners = new Set<(change: Change) => void>();

  /** Calls `listener` with every change from now on; call what it returns to hear no more. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(kind: Change["kind"], id: string): void {
    for (const listener of this.#listeners) listener({ kind, id });
  }
}
