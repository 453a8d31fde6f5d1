import type { Identity } from "./identity.ts";

/** What somebody asks to do, in the words of a SubjectAccessReview. */
export interface Action {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Decides whether an action may go on. Throws `ApiError` Forbidden, saying why, when it may not. */
export interface Gate {
  authorize(identity: Identity, action: Action): Promise<void>;
}
