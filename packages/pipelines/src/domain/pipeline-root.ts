/** A pipeline root: an address, and what follows "?" in it, which says how its store is reached and is no part of any artifact's address. */
export interface PipelineRoot {
  readonly uri: string;
  readonly query: string;
}

/** Takes a pipeline root apart. */
export function splitRoot(root: string): PipelineRoot {
  const at = root.indexOf("?");
  return at === -1 ? { uri: root, query: "" } : { uri: root.slice(0, at), query: root.slice(at + 1) };
}
