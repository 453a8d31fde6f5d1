/** One member of an object in a JSON text. */
export interface JsonMember {
  /** Where it is, as Kubernetes writes paths: `spec.ports[0].name`. */
  readonly path: string;
  /** The object had a member of that name before. */
  readonly isRepeated: boolean;
}

interface Frame {
  /** The names seen so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** The member or element that is being read. */
  at: string | number;
}

/** Whether any object in a JSON text has two members of one name, of which `JSON.parse` shows only the last. */
export function hasRepeatedMembers(text: string): boolean {
  let found = false;
  scan(text, (_, isRepeated) => {
    found ||= isRepeated;
  });
  return found;
}

/** The members of all objects in a JSON text, in the order of the text. */
export function jsonMembers(text: string): JsonMember[] {
  const members: JsonMember[] = [];
  scan(text, (frames, isRepeated) => members.push({ path: pathOf(frames), isRepeated }));
  return members;
}

/** Reads a text that is known to be JSON, and shows each member with the objects and arrays that it is in. */
function scan(text: string, visit: (frames: readonly Frame[], isRepeated: boolean) => void): void {
  const frames: Frame[] = [];
  let top: Frame | undefined;
  let isName = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        frames.push((top = { names: new Set(), at: "" }));
        isName = true;
        break;
      case 0x5b: // [
        frames.push((top = { names: undefined, at: 0 }));
        isName = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        frames.pop();
        top = frames.at(-1);
        isName = false;
        break;
      case 0x2c: // ,
        if (top?.names === undefined) {
          if (typeof top?.at === "number") top.at++;
        } else isName = true;
        break;
      case 0x22: {
        const end = stringEnd(text, i);
        if (isName && top?.names !== undefined) {
          const raw = text.slice(i + 1, end);
          const name: string = raw.includes("\\") ? JSON.parse(`"${raw}"`) : raw;
          top.at = name;
          visit(frames, top.names.has(name));
          top.names.add(name);
          isName = false;
        }
        i = end;
        break;
      }
    }
  }
}

/** The position of the quote that ends the string beginning at `start`. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === 0x5c) first--;
  return (at - first) % 2 === 1;
}

function pathOf(frames: readonly Frame[]): string {
  let path = "";
  for (const { at } of frames) path += typeof at === "number" ? `[${at}]` : path === "" ? at : `.${at}`;
  return path;
}
