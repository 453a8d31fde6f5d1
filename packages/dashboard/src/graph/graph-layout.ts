import { Graph, layout } from "@dagrejs/dagre";
import type { GraphNode } from "./graph-model.ts";

/** Where a box is, relative to the box around it. */
export interface Box {
  readonly node: GraphNode;
  readonly parent?: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An arrow between two boxes. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
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
const RANK_GAP = 44;

/** Lays out a graph from top to bottom: what is inside a box first, then the boxes themselves. */
export function layOut(nodes: readonly GraphNode[]): Layout {
  const inner = new Map<string, Layout>();
  const sizes = new Map<string, { width: number; height: number }>();
  for (const { place, inside, counts } of nodes) {
    if (inside === undefined) {
      sizes.set(place.path, { width: WIDTH, height: counts === undefined ? HEIGHT : CLOSED_HEIGHT });
      continue;
    }
    const drawn = layOut(inside);
    inner.set(place.path, drawn);
    sizes.set(place.path, { width: Math.max(WIDTH, drawn.width + 2 * PADDING), height: drawn.height + TITLE_HEIGHT + PADDING });
  }
  const arrows = nodes.flatMap(({ place }) => place.after.filter((path) => sizes.has(path)).map((from): Arrow => ({ from, to: place.path })));
  const placed = arrows.length === 0 ? inRows(nodes, sizes) : ranked(nodes, sizes, arrows);

  const boxes: Box[] = [];
  const all: Arrow[] = [...arrows];
  let [width, height] = [0, 0];
  for (const node of nodes) {
    const { path } = node.place;
    const [at, size] = [placed.get(path), sizes.get(path)];
    if (at === undefined || size === undefined) continue;
    boxes.push({ node, ...at, ...size });
    width = Math.max(width, at.x + size.width);
    height = Math.max(height, at.y + size.height);
    const drawn = inner.get(path);
    if (drawn === undefined) continue;
    const shift = (size.width - drawn.width) / 2;
    for (const box of drawn.boxes) boxes.push(box.parent === undefined ? { ...box, parent: path, x: box.x + shift, y: box.y + TITLE_HEIGHT } : box);
    all.push(...drawn.arrows);
  }
  return { boxes, arrows: all, width, height };
}

type Sizes = ReadonlyMap<string, { readonly width: number; readonly height: number }>;
type Places = ReadonlyMap<string, { readonly x: number; readonly y: number }>;

/** What does not depend on each other, in rows that are about as wide as a page. */
function inRows(nodes: readonly GraphNode[], sizes: Sizes): Places {
  const columns = nodes.length <= 4 ? nodes.length : Math.ceil(Math.sqrt(nodes.length * 0.8));
  const places = new Map<string, { x: number; y: number }>();
  let [x, y, rowHeight] = [0, 0, 0];
  nodes.forEach(({ place: { path } }, index) => {
    const { width = WIDTH, height = HEIGHT } = sizes.get(path) ?? {};
    if (index > 0 && index % columns === 0) {
      y += rowHeight + GAP;
      [x, rowHeight] = [0, 0];
    }
    places.set(path, { x, y });
    x += width + GAP;
    rowHeight = Math.max(rowHeight, height);
  });
  return places;
}

/** What depends on each other, in ranks. */
function ranked(nodes: readonly GraphNode[], sizes: Sizes, arrows: readonly Arrow[]): Places {
  const graph = new Graph();
  graph.setGraph({ rankdir: "TB", nodesep: GAP, ranksep: RANK_GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { place } of nodes) graph.setNode(place.path, { ...sizes.get(place.path) });
  for (const { from, to } of arrows) graph.setEdge(from, to);
  layout(graph);
  const corners = nodes.map(({ place: { path } }) => {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(path) as { x?: number; y?: number; width?: number; height?: number };
    return { path, x: x - width / 2, y: y - height / 2 };
  });
  const [left, top] = [Math.min(...corners.map(({ x }) => x)), Math.min(...corners.map(({ y }) => y))];
  return new Map(corners.map(({ path, x, y }) => [path, { x: x - left, y: y - top }]));
}
