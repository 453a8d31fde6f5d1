import type { ApiResponse } from "@sluice/client";
import { isApiError } from "@sluice/kubernetes";
import type { AdmissionNotes } from "../admission/admission.ts";

/** What admission tells of one request: warnings for who made it, annotations for the audit log. */
export class RequestNotes implements AdmissionNotes {
  readonly #warnings = new Set<string>();
  readonly #annotations = new Map<string, string>();

  warn(message: string): void {
    this.#warnings.add(message);
  }

  annotate(key: string, value: string): void {
    if (!this.#annotations.has(key)) this.#annotations.set(key, value);
  }

  /** The annotations of the request's audit event. */
  get annotations(): ReadonlyMap<string, string> {
    return this.#annotations;
  }

  /** The refusal with the warnings. */
  addToError(error: unknown): unknown {
    if (this.#warnings.size > 0 && isApiError(error)) error.warnings = [...this.#warnings];
    return error;
  }

  /** The response with the warnings. */
  addTo(response: ApiResponse): ApiResponse {
    if (this.#warnings.size === 0 || response.kind !== "object") return response;
    return { ...response, warnings: [...(response.warnings ?? []), ...this.#warnings] };
  }
}
