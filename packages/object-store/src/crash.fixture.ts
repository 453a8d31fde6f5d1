import { createHash } from "node:crypto";
import { openDirectoryStore } from "./directory-store.ts";

/** Stores objects, replaces some and deletes some until it is killed, and says on stdout what is acknowledged: `<uri> <digest>`. */
const [, , directory = "", round = "0"] = process.argv;
const store = await openDirectoryStore({ directory });
const say = (uri: string, digest: string): void => void process.stdout.write(`${uri} ${digest}\n`);
for (let turn = 0; ; turn++) {
  const writes = Array.from({ length: 1 + (turn % 5) }, async (_, index) => {
    const uri = `minio://b/${round}/${turn}/${index}`;
    const bytes = Buffer.alloc([10, 5000, 70_000, 400_000][(turn + index) % 4] ?? 0, uri);
    const { digest } = await store.put(uri, chunks(bytes));
    if (digest !== `sha256:${createHash("sha256").update(bytes).digest("hex")}`) throw new Error(`wrong digest of ${uri}`);
    say(uri, digest);
    if (turn % 3 !== 0) return;
    say(uri, "");
    await store.delete(uri);
    say(uri, "deleted");
  });
  await Promise.all(writes);
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 50_000) yield bytes.subarray(start, start + 50_000);
}
