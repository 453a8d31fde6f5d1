import type { Client } from "@sluice/client";
import { NODES } from "./kinds.ts";

/** The images that nodes have. */
export interface PresentImages {
  /** The digests (`sha256:<hex>`) that a name stands for: several where nodes disagree, none if no node has it. */
  digestsOf(image: string): readonly string[];
}

const DIGEST = /sha256:[0-9a-f]{64}/u;

/** Whether the name of an image says which bytes it is. */
export function hasDigest(image: string): boolean {
  return DIGEST.test(image);
}

/** The digest in the name of an image; empty if there is none. */
export function digestIn(image: string): string {
  return DIGEST.exec(image)?.[0] ?? "";
}

/** What nodes say that they have; one that lists too many to tell them all just knows less. */
export async function presentImages(client: Client): Promise<PresentImages> {
  const { items } = await client.list(NODES);
  const digests = new Map<string, Set<string>>();
  for (const { names = [] } of items.flatMap(({ status }) => status?.images ?? [])) {
    const digest = names.map(digestIn).find((one) => one !== "");
    if (digest === undefined) continue;
    for (const name of names) digests.set(wholeName(name), (digests.get(wholeName(name)) ?? new Set()).add(digest));
  }
  return { digestsOf: (image) => [...(digests.get(wholeName(image)) ?? [])] };
}

/** The name with the registry and the tag that it means. */
function wholeName(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && (/[.:]/u.test(first) || first === "localhost");
  const path = isHost ? image : `docker.io/${rest.length === 0 ? `library/${first}` : image}`;
  return /[@:][^/]*$/u.test(path.slice(path.indexOf("/"))) ? path : `${path}:latest`;
}
