import { openStore } from "./store.ts";

/** Writes until it is killed, and says on stdout what has been acknowledged: `<name> <resourceVersion>`. */
const store = await openStore({ path: process.argv[2] ?? ":memory:" });
for (let round = 0; ; round++) {
  const writes = Array.from({ length: 1 + (round % 7) }, async (_, index) => {
    const name = `o-${round}-${index}`;
    const written = await store.write("v1/things", { namespace: "a", name }, () => ({
      apiVersion: "v1",
      kind: "Thing",
      metadata: { name, namespace: "a" },
      padding: "x".repeat(2000),
    }));
    process.stdout.write(`${name} ${written?.metadata.resourceVersion}\n`);
  });
  await Promise.all(writes);
}
