import "@xyflow/react/dist/base.css";
import { BaseEdge, Controls, ReactFlow, type Edge, type EdgeProps, type EdgeTypes, type Node, type ReactFlowInstance } from "@xyflow/react";
import { useEffect, useMemo, useRef, type ReactNode } from "react";
import { GraphActions, NODE_TYPES, type PlaceData } from "./graph-nodes.tsx";
import { pathOf } from "./graph-layout.ts";
import type { GraphNode } from "./graph-model.ts";
import { useLayout } from "./use-layout.ts";
import classes from "./run-graph.module.css";

interface RunGraphProps {
  readonly nodes: readonly GraphNode[];
  readonly selected: string | undefined;
  readonly onSelect: (path: string | undefined) => void;
  /** Looks into a container. */
  readonly onEnter: (path: string) => void;
}

type Arrow = Edge<{ readonly path: string }>;

const EDGE_TYPES: EdgeTypes = {
  arrow: function ArrowEdge({ data }: EdgeProps<Arrow>): ReactNode {
    return <BaseEdge path={data?.path ?? ""} />;
  },
};

const FIT = { padding: 0.12, maxZoom: 1.15, minZoom: 0.15 };

/** Tasks and what depends on what. The layout only changes with the shape, so a state changes colours and nothing moves. */
export default function RunGraph({ nodes, selected, onSelect, onEnter }: RunGraphProps): ReactNode {
  const layout = useLayout(nodes);
  const flow = useRef<ReactFlowInstance<Node<PlaceData>, Arrow>>(null);
  const isMoved = useRef(false);
  const frame = useRef<HTMLDivElement>(null);

  const current = useMemo(() => indexNodes(nodes), [nodes]);
  const boxes = useMemo(
    () =>
      (layout?.boxes ?? []).flatMap(({ path, isOpen, parent, x, y, width, height }): Node<PlaceData>[] => {
        const node = current.get(path);
        if (node === undefined) return []; // Of the shape before; the new layout is on its way.
        return [
          {
            ...{ id: path, type: isOpen ? "container" : "task", position: { x, y }, width, height, measured: { width, height } },
            ...(parent === undefined ? {} : { parentId: parent }),
            data: { place: node.place, ...(node.counts === undefined ? {} : { counts: node.counts }) },
            selected: path === selected,
            ...{ draggable: false, connectable: false, deletable: false },
            ariaLabel: `${node.place.label}, ${node.place.state}`,
          },
        ];
      }),
    [layout, current, selected],
  );
  const arrows = useMemo(
    () =>
      (layout?.arrows ?? []).map(({ from, to, points }): Arrow => ({
        ...{ id: `${from}>${to}`, source: from, target: to, type: "arrow", focusable: false, data: { path: pathOf(points) } },
        className: classes[current.get(to)?.place.state === "NONE" ? "ahead" : "taken"] ?? "",
      })),
    [layout, current],
  );

  useEffect(() => {
    if (!isMoved.current) void flow.current?.fitView(FIT);
  }, [layout]);
  useEffect(() => {
    if (frame.current === null) return;
    const observer = new ResizeObserver(() => {
      if (!isMoved.current) void flow.current?.fitView(FIT);
    });
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);

  return (
    <div className={classes["frame"]} ref={frame} aria-busy={layout === undefined}>
      <GraphActions value={onEnter}>
        <ReactFlow
          nodes={boxes}
          edges={arrows}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onInit={(instance) => (flow.current = instance)}
          onMove={(event) => {
            if (event !== null) isMoved.current = true;
          }}
          onNodesChange={(changes) => {
            // The address holds what is selected; this only hears of clicks and keys.
            for (const change of changes) if (change.type === "select" && change.selected) onSelect(change.id);
          }}
          onPaneClick={() => onSelect(undefined)}
          onNodeDoubleClick={(_event, { id, type }) => {
            if (type === "container" || current.get(id)?.counts !== undefined) onEnter(id);
          }}
          fitView
          fitViewOptions={FIT}
          minZoom={0.1}
          maxZoom={2}
          zoomOnDoubleClick={false}
          multiSelectionKeyCode={null}
          selectionKeyCode={null}
          deleteKeyCode={null}
          nodesDraggable={false}
          nodesConnectable={false}
          elevateEdgesOnSelect={false}
          onlyRenderVisibleElements={boxes.length > 200}
          proOptions={{ hideAttribution: true }}
        >
          <Controls showInteractive={false} position="bottom-left" />
        </ReactFlow>
      </GraphActions>
    </div>
  );
}

function indexNodes(nodes: readonly GraphNode[]): ReadonlyMap<string, GraphNode> {
  const index = new Map<string, GraphNode>();
  const add = (node: GraphNode): void => {
    index.set(node.place.path, node);
    node.inside?.forEach(add);
  };
  nodes.forEach(add);
  return index;
}
