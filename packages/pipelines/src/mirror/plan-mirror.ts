/** A row and an object that are to show the same: what is known of the two, and of what binds them. */
export interface MirrorView {
  readonly link?: { readonly rowId: string; readonly uid: string; readonly base: string } | undefined;
  readonly row?: { readonly content: string } | undefined;
  readonly object?:
    | {
        readonly uid: string;
        readonly content: string;
        /** The row that its label names. */
        readonly rowId?: string | undefined;
        readonly isLeaving: boolean;
      }
    | undefined;
}

/**
 * What brings a row and its object closer: `import` makes a row of an object, `publish` an object of a row, `adopt` binds the two,
 * `forget` unbinds them, `takeObject` changes the row, `takeRow` the object, and `settle` notes that they agree.
 */
export type MirrorStep = "nothing" | "import" | "publish" | "adopt" | "forget" | "deleteRow" | "deleteObject" | "takeObject" | "takeRow" | "settle";

/**
 * The next step. The link is the memory of both sides: what is linked and missing was deleted, what is there without a link is new, and
 * what differs from the last agreement has changed. Where both have changed, the row wins.
 */
export function planMirror({ link, row, object }: MirrorView): MirrorStep {
  if (link === undefined) return object === undefined || object.isLeaving ? "nothing" : "import";
  const isShown = link.uid !== "";
  // What was shown is gone, or another object is in its place.
  if (isShown && link.uid !== object?.uid) return row === undefined ? "forget" : "deleteRow";
  if (object === undefined) return row === undefined ? "forget" : "publish";
  if (object.isLeaving) return "nothing";
  if (row === undefined) return isShown || object.rowId === link.rowId ? "deleteObject" : "forget";
  if (!isShown) return "adopt";
  if (row.content === object.content) return link.base === row.content ? "nothing" : "settle";
  return row.content === link.base ? "takeObject" : "takeRow";
}
