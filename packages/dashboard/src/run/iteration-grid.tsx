import type { ReactNode } from "react";
import { lookOf } from "../app/states.ts";
import { itemOf } from "../graph/kinds.ts";
import { countStates, type TaskPlace } from "../graph/task-tree.ts";
import { StateBar } from "../graph/state-bar.tsx";
import classes from "./iteration-grid.module.css";

interface IterationGridProps {
  readonly iterations: readonly TaskPlace[];
  readonly selected: string | undefined;
  readonly onOpen: (place: TaskPlace) => void;
}

/** All iterations of a loop at a glance, one field each. */
export function IterationGrid({ iterations, selected, onOpen }: IterationGridProps): ReactNode {
  const counts = countStates(iterations);
  return (
    <div className={classes["frame"]}>
      <div className={classes["summary"]}>
        <StateBar counts={counts} />
        <ul>
          {[...counts].map(([state, count]) => (
            <li key={state} data-tone={lookOf(state).tone}>
              <i />
              {count.toLocaleString("en-US")} {lookOf(state).label.toLowerCase()}
            </li>
          ))}
        </ul>
      </div>
      <div className={classes["grid"]}>
        {iterations.map((place) => (
          <button
            key={place.path}
            type="button"
            className={classes["cell"]}
            data-tone={lookOf(place.state).tone}
            data-state={place.state}
            data-selected={place.path === selected}
            title={itemOf(place)}
            aria-label={`Iteration ${place.iteration ?? 0}, ${lookOf(place.state).label}`}
            onClick={() => onOpen(place)}
          >
            {place.iteration}
          </button>
        ))}
      </div>
    </div>
  );
}
