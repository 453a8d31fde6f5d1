import type { Logger } from "@sluice/controller";
import type { Resource } from "@sluice/kubernetes";
import type { Store } from "../../store/store.ts";
import type { AdmissionRequest } from "../admission.ts";
import type { ImmediateAuthorizer } from "../expressions.ts";
import { isConfiguration } from "../kinds.ts";
import { Interests, type Interest } from "../match.ts";
import { isConcerned } from "./call-hook.ts";
import { hooksOf, type Hook } from "./hooks.ts";

/** What webhooks are found by. */
export interface HookOptions {
  readonly store: Store;
  readonly authorizer: ImmediateAuthorizer;
  /** All kinds that are served now; the same list until it changes. */
  readonly resources: () => readonly Resource[];
  readonly logger: Logger;
}

/** The webhooks of one kind, as the store has them. */
export class ConfiguredHooks implements Disposable {
  readonly #options: HookOptions;
  readonly #table: string;
  readonly #stop: () => void;
  #served: readonly Resource[] = [];
  #interests: Interests<Hook> | undefined;

  constructor(table: string, options: HookOptions) {
    this.#options = options;
    this.#table = table;
    this.#stop = options.store.onChange(table, () => {
      this.#interests = undefined;
    });
  }

  /** The webhooks whose rules such a request matches. */
  interests(request: AdmissionRequest): readonly Interest<Hook>[] {
    if (isConfiguration(request)) return [];
    const served = this.#options.resources();
    if (served !== this.#served) {
      this.#served = served;
      this.#interests = undefined;
    }
    const { store, logger } = this.#options;
    this.#interests ??= new Interests(hooksOf(store.list(this.#table).items, logger), served);
    return this.#interests.of(request);
  }

  /** Whether a webhook is to be asked about this very request. */
  isConcerned({ judge, resource }: Interest<Hook>, request: AdmissionRequest): boolean {
    const { store, authorizer } = this.#options;
    return judge.matcher.matches(request, store, this.#served) && isConcerned(judge, request, resource, authorizer);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
