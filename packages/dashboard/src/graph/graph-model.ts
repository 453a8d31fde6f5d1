import { countStates, isContainer, type StateCounts, type TaskIndex, type TaskPlace } from "./task-tree.ts";

/** A place as the graph draws it. */
export interface GraphNode {
  readonly place: TaskPlace;
  /** What is drawn inside it; absent for what is drawn as one box. */
  readonly inside?: readonly GraphNode[];
  /** Of a container that is drawn as one box: how its children stand. */
  readonly counts?: StateCounts;
}

/** How much of a graph is opened up. */
export interface OpenLimits {
  /** A loop with more iterations stays closed. */
  readonly iterations: number;
  /** Nothing more is opened once so many boxes are drawn. */
  readonly nodes: number;
}

/** What stays readable and fluid. */
const OPEN_LIMITS: OpenLimits = { iterations: 6, nodes: 150 };

/** What to draw of `scope`: everything that is in it, opened level by level for as long as that stays small. */
export function graphOf(index: TaskIndex, scope: TaskPlace, limits: OpenLimits = OPEN_LIMITS): readonly GraphNode[] {
  interface Draft {
    readonly place: TaskPlace;
    inside?: readonly Draft[];
  }
  const draft = (place: TaskPlace): Draft => ({ place });
  const top = index.children(scope).map(draft);
  let count = top.length;
  for (let level: readonly Draft[] = top; level.length > 0;) {
    const next: Draft[] = [];
    for (const node of level) {
      if (!isContainer(node.place) || node.place.state === "SKIPPED") continue;
      const children = index.children(node.place);
      const isWide = node.place.kind === "LOOP" && node.place.iteration === undefined && children.length > limits.iterations;
      if (children.length === 0 || isWide || count + children.length > limits.nodes) continue;
      node.inside = children.map(draft);
      next.push(...node.inside);
      count += children.length;
    }
    level = next;
  }
  const finish = ({ place, inside }: Draft): GraphNode => {
    if (inside !== undefined) return { place, inside: inside.map(finish) };
    return isContainer(place) ? { place, counts: countStates(index.children(place)) } : { place };
  };
  return top.map(finish);
}

/** The container to look into so that a place is drawn: the innermost iteration around it whose loop stays closed; undefined for the whole run. */
export function scopeShowing(index: TaskIndex, path: string, limits: OpenLimits = OPEN_LIMITS): string | undefined {
  const keys = path.split(".");
  for (let depth = keys.length - 1; depth > 1; depth--) {
    const [loop, around] = [keys.slice(0, depth - 1).join("."), keys.slice(0, depth).join(".")];
    const place = index.find(loop);
    if (place?.kind === "LOOP" && place.iteration === undefined && index.children(place).length > limits.iterations) return around;
  }
  return undefined;
}

/** What a layout depends on: which boxes and arrows there are, and nothing of their states. */
export interface Shape {
  readonly path: string;
  readonly after: readonly string[];
  /** A container that is drawn as one box. */
  readonly isClosed: boolean;
  readonly inside?: readonly Shape[];
}

/** The shape of a graph. While it stays the same, so does the layout. */
export function shapeOf(nodes: readonly GraphNode[]): readonly Shape[] {
  return nodes.map(({ place: { path, after }, counts, inside }) => ({
    path,
    after,
    isClosed: counts !== undefined,
    ...(inside === undefined ? {} : { inside: shapeOf(inside) }),
  }));
}
