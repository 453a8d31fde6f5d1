import { ApiError } from "@sluice/kubernetes";
import { filterOf, pageQuery, restOf, type Http, type Page, type Paged, type PageOptions } from "./client-http.ts";
import type { Experiment } from "./client-types.ts";

/** What an experiment is called. */
export interface ExperimentOptions {
  readonly name: string;
  readonly description?: string;
  readonly namespace?: string;
}

/** The part of the client that is about experiments. */
export interface ExperimentsClient {
  /** Makes an experiment, or gives the one of this name. */
  createExperiment(options: ExperimentOptions): Promise<Experiment>;
  getExperiment(id: string): Promise<Experiment>;
  /** The one of a name, if there is one. */
  findExperiment(name: string, options?: { readonly namespace?: string }): Promise<Experiment | undefined>;
  /** Newest first. */
  listExperiments(options?: PageOptions & { readonly namespace?: string }): Promise<Paged<"experiments", Experiment>>;
  /** Archives an experiment with its runs and schedules. */
  archiveExperiment(id: string): Promise<void>;
  unarchiveExperiment(id: string): Promise<void>;
  /** Deletes an experiment; its runs stay. */
  deleteExperiment(id: string): Promise<void>;
}

/** Experiments of one server. */
export function experimentsClient({ get, post, remove }: Http): ExperimentsClient {
  const pathOf = (id: string): string => `/experiments/${encodeURIComponent(id)}`;
  const list = async (page: PageOptions & { readonly namespace?: string }, filter?: string): Promise<Paged<"experiments", Experiment>> => {
    const path = `/experiments${pageQuery(page, { namespace: page.namespace, sort_by: "created_at desc", filter })}`;
    const answer = await get<Page & { experiments?: readonly Experiment[] }>(path);
    return { experiments: answer.experiments ?? [], ...restOf(answer) };
  };
  const find: ExperimentsClient["findExperiment"] = async (name, options = {}) =>
    (await list(options, filterOf([{ operation: "EQUALS", key: "display_name", string_value: name }]))).experiments[0];
  return {
    async createExperiment({ name, description, namespace }) {
      const options = namespace === undefined ? {} : { namespace };
      const found = await find(name, options);
      if (found !== undefined) return found;
      try {
        return await post<Experiment>("/experiments", { display_name: name, description, ...options });
      } catch (error) {
        const made = error instanceof ApiError && error.code === 409 ? await find(name, options) : undefined;
        if (made === undefined) throw error;
        return made; // Somebody else made it in between.
      }
    },
    getExperiment: (id) => get<Experiment>(pathOf(id)),
    findExperiment: find,
    listExperiments: (options = {}) => list(options),
    async archiveExperiment(id) {
      await post(`${pathOf(id)}:archive`, {});
    },
    async unarchiveExperiment(id) {
      await post(`${pathOf(id)}:unarchive`, {});
    },
    deleteExperiment: (id) => remove(pathOf(id)),
  };
}

/** The id of a named experiment, which is made if there is none. */
export async function experimentIdOf(experiments: ExperimentsClient, name: string | undefined): Promise<string | undefined> {
  return name === undefined ? undefined : (await experiments.createExperiment({ name })).experiment_id;
}
