import { Loader } from "@mantine/core";
import { lazy, Suspense, useMemo, type ReactNode } from "react";
import { graphOf } from "../graph/graph-model.ts";
import { isContainer, type TaskIndex, type TaskPlace } from "../graph/task-tree.ts";
import { IterationGrid } from "./iteration-grid.tsx";
import classes from "./graph-view.module.css";

const RunGraph = lazy(() => import("../graph/run-graph.tsx"));

interface GraphViewProps {
  readonly index: TaskIndex;
  /** The container that is looked into; the whole run unless given. */
  readonly scopePath: string | undefined;
  readonly selected: string | undefined;
  readonly onSelect: (path: string | undefined) => void;
  readonly onEnter: (path: string) => void;
}

/** The graph of a run or of one container in it, with the way back up. */
export function GraphView({ index, scopePath, selected, onSelect, onEnter }: GraphViewProps): ReactNode {
  const found = scopePath === undefined ? index.root : index.find(scopePath);
  const scope = found !== undefined && isContainer(found) ? found : index.root;
  const nodes = useMemo(() => graphOf(index, scope), [index, scope]);
  const isLoop = scope.kind === "LOOP" && scope.iteration === undefined && scope.task !== undefined;
  return (
    <div className={classes["view"]}>
      {scope === index.root ? null : <Breadcrumb index={index} scope={scope} onEnter={onEnter} />}
      {isLoop && index.children(scope).length > 0 ? (
        <IterationGrid
          iterations={index.children(scope)}
          selected={selected}
          onOpen={(place) => (isContainer(place) ? onEnter(place.path) : onSelect(place.path))}
        />
      ) : nodes.length === 0 ? (
        <p className={classes["empty"]}>{isLoop ? "This loop has no iterations." : "The pipeline says nothing of its tasks."}</p>
      ) : (
        <Suspense
          fallback={
            <div className={classes["empty"]}>
              <Loader size="sm" />
            </div>
          }
        >
          <RunGraph key={scope.path} nodes={nodes} selected={selected} onSelect={onSelect} onEnter={onEnter} />
        </Suspense>
      )}
    </div>
  );
}

/** From the run down to what is looked into. */
function Breadcrumb({
  index,
  scope,
  onEnter,
}: {
  readonly index: TaskIndex;
  readonly scope: TaskPlace;
  readonly onEnter: (path: string) => void;
}): ReactNode {
  const keys = scope.path.split(".");
  const places = keys.flatMap((_, depth) => index.find(keys.slice(0, depth + 1).join(".")) ?? []);
  return (
    <nav aria-label="Where you are in the run" className={classes["crumbs"]}>
      <ol>
        {places.map((place) => {
          const label = place.path === "root" ? "Whole run" : place.iteration === undefined ? place.label : `#${place.iteration}`;
          return (
            <li key={place.path}>
              {place === scope ? (
                <span aria-current="location">{label}</span>
              ) : (
                <button type="button" onClick={() => onEnter(place.path)}>
                  {label}
                </button>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
