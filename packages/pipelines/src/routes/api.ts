import { apiErrorOf, rpcHttpStatusOf, rpcStatusOf, type RouteEnvironment, type Routes } from "@sluice/component";
import type { Logger } from "@sluice/controller";
import { Hono, type Handler } from "hono";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import type { RouteContext } from "./context.ts";
import { Message, readJson } from "./message.ts";
import { fieldOf, readField } from "./read-field.ts";
import type { Fields, MessageType } from "./schema.ts";

/** What a route takes and gives: enough to read requests by, and to write the OpenAPI document from. */
export interface Operation {
  readonly method: "get" | "post" | "patch" | "delete";
  /** KFP's way to write it, as `/runs/{run_id}:terminate`. */
  readonly path: string;
  /** KFP's name for it, in snake_case. */
  readonly id: string;
  /** One sentence. */
  readonly about: string;
  readonly tag: string;
  readonly query?: Fields;
  /** A message, any JSON string, or a form with a file in it. */
  readonly body?: MessageType | "string" | "upload";
  /** An empty body is a message without fields. */
  readonly isBodyOptional?: true;
  /** A message, or the content type of what is no JSON; nothing for an empty object. */
  readonly answer?: MessageType | `${string}/${string}`;
  /** Who speaks plain HTTP upstream answers errors in words of its own. */
  readonly errors?: "plain";
}

/** One request as its route sees it. */
export interface Call {
  readonly context: RouteContext;
  /** What stands in the path for `{name}`. */
  readonly param: (name: string) => string;
  /** A parameter of the query, as text; empty when it is absent. */
  readonly query: (name: string) => string;
  /** All of a parameter's values. */
  readonly queries: (name: string) => readonly string[];
  /** The body, which must be the operation's message. */
  readonly body: () => Promise<Message>;
}

/** Hears how long an operation took. */
export type Observe = (operation: Operation, status: number, seconds: number) => void;

/** A table of routes, each with what it takes and gives, and the app that serves them. */
export class Api {
  readonly app: Routes = new Hono<RouteEnvironment>();
  readonly #operations: Operation[] = [];
  readonly #logger: Logger;
  readonly #observe: Observe | undefined;

  constructor(logger: Logger, observe?: Observe) {
    this.#logger = logger;
    this.#observe = observe;
    this.app.onError((error, context) => this.#refuse(error, context, undefined));
  }

  /** All routes, in the order in which they are tried. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** Serves an operation. */
  add(operation: Operation, handle: (call: Call) => Promise<JsonObject | Response>): void {
    this.#operations.push(operation);
    const handler: Handler<RouteEnvironment> = async (context) => {
      const begin = performance.now();
      let response: Response;
      try {
        const answer = await handle(callOf(operation, context));
        response = answer instanceof Response ? answer : context.json(answer);
      } catch (error) {
        response = this.#refuse(error, context, operation);
      }
      this.#observe?.(operation, response.status, (performance.now() - begin) / 1000);
      return response;
    };
    this.app.on(operation.method, routePath(operation.path), handler);
  }

  #refuse(error: unknown, context: RouteContext, operation: Operation | undefined): Response {
    const refused = apiErrorOf(error);
    if (refused.code >= 500) this.#logger.error("request failed", { method: context.req.method, path: context.req.path, error });
    const status = rpcHttpStatusOf(refused) as 500;
    if (operation?.errors === "plain") return context.json({ error_message: refused.message, error_details: refused.message }, status);
    return context.json(rpcStatusOf(refused), status);
  }
}

/** A path as the router has it: a verb after a parameter belongs to that parameter's segment. */
export function routePath(path: string): string {
  return path
    .split("/")
    .map((segment) => {
      const [, name, verb] = /^\{(\w+)\}(:\w+)?$/u.exec(segment) ?? [];
      if (name === undefined) return segment;
      return verb === undefined ? `:${name}` : `:${name}{[^/]+${verb}}`;
    })
    .join("/");
}

function callOf(operation: Operation, context: RouteContext): Call {
  const { path, body, id, isBodyOptional, query: known = {} } = operation;
  const queries = (name: string): readonly string[] => {
    const type = known[name];
    const given = Object.entries(context.req.queries());
    const values = given.flatMap(([key, all]) => (fieldOf(key, known)?.[0] === name ? all : []));
    const item = type?.kind === "list" ? type.of : type;
    if (item === undefined || item.kind === "string") return values;
    return values.filter((value) => value !== "").map((value) => String(readField(queryValue(value, item.kind), item, name)));
  };
  return {
    context,
    param(name) {
      const value = context.req.param(name) ?? "";
      const [, verb = ""] = new RegExp(`\\{${name}\\}(:\\w+)`, "u").exec(path) ?? [];
      return verb === "" ? value : value.slice(0, -verb.length);
    },
    query: (name) => queries(name).at(-1) ?? "",
    queries,
    async body() {
      if (typeof body !== "object") throw new Error(`${id} takes no message`);
      return new Message(await readJson(context, isBodyOptional && {}), "", body);
    },
  };
}

/** A query's text as JSON would have it. */
function queryValue(text: string, kind: string): JsonValue {
  if (kind === "bool" && /^(?:true|false|1|0)$/iu.test(text)) return text === "1" || text.toLowerCase() === "true";
  return kind === "enum" && /^\d+$/u.test(text) ? Number(text) : text;
}
