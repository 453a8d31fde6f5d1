/** How many requests have been answered, by verb and status code. */
export class RequestCounts {
  readonly #counts = new Map<string, number>();

  add(verb: string, code: number): void {
    const labels = `verb="${verb.toUpperCase()}",code="${code}"`;
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + 1);
  }

  /** The counts in Prometheus' text format. */
  toMetrics(): string {
    const lines = [...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`);
    return ["# HELP apiserver_request_total Requests that have been answered.", "# TYPE apiserver_request_total counter", ...lines, ""].join("\n");
  }
}
