import { Graph, layout } from "@dagrejs/dagre";
import type { Shape } from "./graph-model.ts";

/** Where a box is, relative to the box around it. */
export interface Box {
  readonly path: string;
  readonly isOpen: boolean;
  readonly parent?: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A place on the drawing. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** An arrow from the bottom of one box to the top of another, and the points between them that lead it around others. */
interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
}

/** A drawn graph; boxes come after the boxes they are in. */
export interface Layout {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  readonly width: number;
  readonly height: number;
}

const WIDTH = 232;
const HEIGHT = 54;
/** A closed container also shows how its children stand. */
const CLOSED_HEIGHT = 68;
const PADDING = 16;
const TITLE_HEIGHT = 38;
const GAP = 28;
const RANK_GAP = 52;
/** What has no order among itself stands beside each other, four at least. */
const NARROWEST_ROW = 4 * (WIDTH + GAP);
/** A page's width by its height. */
const PAGE_SHAPE = 1.7;
/** Above this, the best ranks take longer than they are worth. */
const MANY = 200;

/** Lays out a graph from top to bottom: what is inside a box first, then the boxes themselves. */
export function layOut(shapes: readonly Shape[]): Layout {
  const inner = new Map<string, Layout>();
  const sizes = new Map<string, Size>();
  for (const { path, inside, isClosed } of shapes) {
    if (inside === undefined) {
      sizes.set(path, { width: WIDTH, height: isClosed ? CLOSED_HEIGHT : HEIGHT });
      continue;
    }
    const drawn = layOut(inside);
    inner.set(path, drawn);
    sizes.set(path, { width: Math.max(WIDTH, drawn.width + 2 * PADDING), height: drawn.height + TITLE_HEIGHT + PADDING });
  }
  const links = shapes.flatMap(({ path: to, after }) => after.filter((path) => sizes.has(path)).map((from): Link => ({ from, to })));
  const { places, arrows } = inRows(islands(sizes, links).map(({ paths, links: own }) => ranked(paths, sizes, own)));

  const boxes: Box[] = [];
  const all: Arrow[] = [...arrows];
  let [width, height] = [0, 0];
  for (const { path } of shapes) {
    const [at, size] = [places.get(path), sizes.get(path)];
    if (at === undefined || size === undefined) continue;
    boxes.push({ path, isOpen: inner.has(path), ...at, ...size });
    width = Math.max(width, at.x + size.width);
    height = Math.max(height, at.y + size.height);
    const drawn = inner.get(path);
    if (drawn === undefined) continue;
    const shift = (size.width - drawn.width) / 2;
    for (const box of drawn.boxes) boxes.push(box.parent === undefined ? { ...box, parent: path, x: box.x + shift, y: box.y + TITLE_HEIGHT } : box);
    const move = ({ x, y }: Point): Point => ({ x: x + at.x + shift, y: y + at.y + TITLE_HEIGHT });
    all.push(...drawn.arrows.map((arrow) => ({ ...arrow, points: arrow.points.map(move) })));
  }
  return { boxes, arrows: all, width, height };
}

type Link = Pick<Arrow, "from" | "to">;
type Sizes = ReadonlyMap<string, Size>;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of a drawing, at its own top left. */
interface Part extends Size {
  readonly places: ReadonlyMap<string, Point>;
  readonly arrows: readonly Arrow[];
}

/** The parts of a graph that have nothing to do with each other. */
function islands(sizes: Sizes, links: readonly Link[]): readonly { readonly paths: readonly string[]; readonly links: readonly Link[] }[] {
  const neighbours = Map.groupBy([...links, ...links.map(({ from, to }) => ({ from: to, to: from }))], ({ from }) => from);
  const islandOf = new Map<string, number>();
  const all: { readonly paths: string[]; readonly links: Link[] }[] = [];
  for (const start of sizes.keys()) {
    if (islandOf.has(start)) continue;
    const paths = [start];
    islandOf.set(start, all.length);
    for (let next = 0; next < paths.length; next++) {
      for (const { to } of neighbours.get(paths[next] ?? "") ?? []) {
        if (islandOf.has(to)) continue;
        islandOf.set(to, all.length);
        paths.push(to);
      }
    }
    all.push({ paths, links: [] });
  }
  for (const link of links) all[islandOf.get(link.from) ?? 0]?.links.push(link);
  return all;
}

/** Parts beside each other, in rows that make the whole about as wide as a page. */
function inRows(parts: readonly Part[]): Pick<Part, "places" | "arrows"> {
  const area = parts.reduce((sum, { width, height }) => sum + (width + GAP) * (height + GAP), 0);
  const widest = Math.max(NARROWEST_ROW, Math.sqrt(area * PAGE_SHAPE), ...parts.map(({ width }) => width));
  const places = new Map<string, Point>();
  const arrows: Arrow[] = [];
  let [left, top, rowHeight] = [0, 0, 0];
  for (const part of parts) {
    if (left > 0 && left + part.width > widest) [left, top, rowHeight] = [0, top + rowHeight + GAP, 0];
    const [dx, dy] = [left, top];
    const move = ({ x, y }: Point): Point => ({ x: x + dx, y: y + dy });
    for (const [path, at] of part.places) places.set(path, move(at));
    for (const arrow of part.arrows) arrows.push({ ...arrow, points: arrow.points.map(move) });
    left += part.width + GAP;
    rowHeight = Math.max(rowHeight, part.height);
  }
  return { places, arrows };
}

/** What depends on each other, in ranks. */
function ranked(paths: readonly string[], sizes: Sizes, links: readonly Link[]): Part {
  const graph = new Graph();
  const ranker = paths.length > MANY ? "longest-path" : "network-simplex";
  graph.setGraph({ rankdir: "TB", nodesep: GAP, edgesep: GAP, ranksep: RANK_GAP, ranker });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const path of paths) graph.setNode(path, { ...sizes.get(path) });
  for (const { from, to } of links) graph.setEdge(from, to);
  layout(graph);

  /** By the middle of a rank, its height. */
  const ranks = new Map<number, number>();
  const corners = paths.map((path) => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(path) as { x?: number; y?: number; width?: number; height?: number };
    ranks.set(Math.round(y), Math.max(height, ranks.get(Math.round(y)) ?? 0));
    return { path, x: x - width / 2, y: y - height / 2, width, height };
  });
  const left = Math.min(...corners.map(({ x }) => x));
  const top = Math.min(...corners.map(({ y }) => y));
  const boxes = new Map(corners.map((corner) => [corner.path, { ...corner, x: corner.x - left, y: corner.y - top }]));
  const arrows = links.flatMap(({ from, to }): Arrow[] => {
    const [source, target] = [boxes.get(from), boxes.get(to)];
    if (source === undefined || target === undefined) return [];
    const { points = [] } = graph.edge(from, to) as { points?: readonly Point[] };
    // Where it passes a rank it goes straight down, so that it touches nothing there.
    const between = points.slice(1, -1).flatMap(({ x, y }) => {
      const height = ranks.get(Math.round(y)) ?? 0;
      return height === 0
        ? []
        : [
            { x: x - left, y: y - top - height / 2 },
            { x: x - left, y: y - top + height / 2 },
          ];
    });
    const start = { x: source.x + source.width / 2, y: source.y + source.height };
    return [{ from, to, points: [start, ...between, { x: target.x + target.width / 2, y: target.y }] }];
  });
  const width = Math.max(...corners.map((corner) => corner.x + corner.width)) - left;
  const height = Math.max(...corners.map((corner) => corner.y + corner.height)) - top;
  return { places: boxes, arrows, width, height };
}

/** The arrow as an SVG path: from point to point, leaving and arriving straight downwards. */
export function pathOf(points: readonly Point[]): string {
  return points
    .map(({ x, y }, index) => {
      const before = points[index - 1];
      if (before === undefined) return `M${x},${y}`;
      const bend = (before.y + y) / 2;
      return before.x === x ? `L${x},${y}` : `C${before.x},${bend} ${x},${bend} ${x},${y}`;
    })
    .join("");
}
