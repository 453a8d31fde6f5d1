import { invalid } from "./invalid.ts";
import type { Message } from "./message.ts";

/** As upstream's tables have it. */
const MAX_NAME = 128;
const MAX_VERSION_NAME = 127;
const MAX_TAG = 63;
const MAX_TAGS = 20;

/** A name that must be given, and is not longer than it may be. */
export function nameOf(body: Message, field: string): string {
  return checkName(body.required(field), body.at(field));
}

/** A name, of which there is only so much. */
export function checkName(name: string, path: string, isVersion = false): string {
  const limit = isVersion ? MAX_VERSION_NAME : MAX_NAME;
  if (name.length > limit) throw invalid(path, `must not have more than ${limit} characters, and has ${name.length}`);
  return name;
}

/** Labels of a pipeline or a version: their keys and values are short. */
export function checkTags(tags: Readonly<Record<string, string>>, path: string): Readonly<Record<string, string>> {
  const count = Object.keys(tags).length;
  if (count > MAX_TAGS) throw invalid(path, `must not be more than ${MAX_TAGS}, and are ${count}`);
  for (const [key, value] of Object.entries(tags)) {
    if (key === "") throw invalid(path, "a tag's key must not be empty");
    if (key.length > MAX_TAG) throw invalid(path, `the key ${JSON.stringify(key)} has more than ${MAX_TAG} characters`);
    if (key.includes(".")) throw invalid(path, `the key ${JSON.stringify(key)} must not have a dot`);
    if (value.length > MAX_TAG) throw invalid(`${path}.${key}`, `must not have more than ${MAX_TAG} characters`);
  }
  return tags;
}
