import { useEffect, useRef, useState } from "react";
import type { Layout } from "./graph-layout.ts";
import { shapeOf, type GraphNode } from "./graph-model.ts";

/** The layout of a graph, made beside the page, so that a large one holds up nothing; until there is a new one, the one before. */
export function useLayout(nodes: readonly GraphNode[]): Layout | undefined {
  const [layout, setLayout] = useState<Layout>();
  const worker = useRef<Worker>(null);
  const shape = shapeOf(nodes);
  const key = JSON.stringify(shape);
  useEffect(() => {
    worker.current = new Worker(new URL("./layout-worker.ts", import.meta.url), { type: "module" });
    worker.current.onmessage = ({ data }: MessageEvent<Layout>) => setLayout(data);
    return () => worker.current?.terminate();
  }, []);
  useEffect(() => {
    worker.current?.postMessage(shape);
    // The key stands for the shape, which is another object every time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
  return layout;
}
