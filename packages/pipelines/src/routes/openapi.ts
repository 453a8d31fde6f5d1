import type { JsonObject, JsonValue } from "../domain/ir.ts";
import type { Operation } from "./api.ts";
import { PLAIN_ERROR, STATUS } from "./messages.ts";
import type { Fields, FieldType, MessageType } from "./schema.ts";

/** The OpenAPI 3.1 document of a table of routes, as clients find them below `server`. */
export function openApi(operations: readonly Operation[], { server, version }: { readonly server: string; readonly version: string }): JsonObject {
  const schemas = new Map<string, JsonObject>();
  const paths: Record<string, Record<string, JsonValue>> = {};
  for (const operation of operations) (paths[operation.path] ??= {})[operation.method] = operationObject(operation, schemas);
  const sorted = [...schemas].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    openapi: "3.1.0",
    info: { title: "Kubeflow Pipelines API, as Sluice serves it", version },
    servers: [{ url: server }],
    paths,
    components: { schemas: Object.fromEntries(sorted) },
  };
}

type Schemas = Map<string, JsonObject>;

function operationObject(operation: Operation, schemas: Schemas): JsonObject {
  const { path, id, about, tag, query = {}, body, answer, errors } = operation;
  const inPath = [...path.matchAll(/\{(\w+)\}/gu)].map(([, name = ""]): JsonObject => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, field]): JsonObject => ({
    ...{ name, in: "query", schema: schemaOf(field, schemas) },
    ...(field.about === undefined ? {} : { description: field.about }),
  }));
  const parameters = [...inPath, ...inQuery];
  const isJson = answer === undefined || typeof answer === "object";
  return {
    operationId: id,
    summary: about,
    tags: [tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: bodyContent(body, schemas) } }),
    responses: {
      200: {
        description: "Done.",
        content: isJson ? { "application/json": { schema: answer === undefined ? EMPTY : messageSchema(answer, schemas) } } : { [answer]: {} },
      },
      default: {
        description: "Refused, or failed.",
        content: { "application/json": { schema: messageSchema(errors === "plain" ? PLAIN_ERROR : STATUS, schemas) } },
      },
    },
  };
}

const EMPTY: JsonObject = { type: "object", additionalProperties: false };

function bodyContent(body: NonNullable<Operation["body"]>, schemas: Schemas): JsonObject {
  if (body === "upload") {
    const file = { type: "string", contentMediaType: "application/octet-stream" };
    return { "multipart/form-data": { schema: { type: "object", required: ["uploadfile"], properties: { uploadfile: file } } } };
  }
  return { "application/json": { schema: body === "string" ? { type: "string" } : messageSchema(body, schemas) } };
}

function messageSchema(message: MessageType, schemas: Schemas): JsonObject {
  if (!schemas.has(message.name)) {
    schemas.set(message.name, {});
    schemas.set(message.name, { type: "object", additionalProperties: false, properties: propertiesOf(message.fields, schemas) });
  }
  return { $ref: `#/components/schemas/${message.name}` };
}

function propertiesOf(fields: Fields, schemas: Schemas): JsonObject {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, schemaOf(field, schemas)]));
}

function schemaOf(type: FieldType, schemas: Schemas): JsonObject {
  switch (type.kind) {
    case "string":
      return { type: "string" };
    case "bool":
      return { type: "boolean" };
    case "int32":
      return { type: "integer", format: "int32" };
    case "int64":
      return { type: "string", format: "int64", pattern: "^-?[0-9]+$" };
    case "double":
      return { type: "number" };
    case "timestamp":
      return { type: "string", format: "date-time" };
    case "struct":
      return { type: "object" };
    case "value":
      return {};
    case "enum":
      return { type: "string", enum: type.values.filter((value) => value !== "") };
    case "list":
      return { type: "array", items: schemaOf(type.of, schemas) };
    case "map":
      return { type: "object", additionalProperties: schemaOf(type.of, schemas) };
    case "message":
      return messageSchema(type.of, schemas);
  }
}
