import { openDatabase } from "./open-database.ts";
import { THINGS, type ThingsTables } from "./things.fixture.ts";

/** Writes pairs of rows until it is killed, and says on stdout which are acknowledged. */
const [, , path = ":memory:", round = "0"] = process.argv;
const database = await openDatabase({ path });
await database.migrate("test", [THINGS]);
const { transaction } = database.of<ThingsTables>();
for (let turn = 0; ; turn++) {
  const writes = Array.from({ length: 1 + (turn % 7) }, async (_, index) => {
    const id = `${round}-${turn}-${index}`;
    await transaction(async (open) => {
      await open
        .insertInto("things")
        .values({ id: `${id}-first`, value: turn })
        .execute();
      await open
        .insertInto("things")
        .values({ id: `${id}-second`, value: turn })
        .execute();
    });
    process.stdout.write(`${id}\n`);
  });
  await Promise.all(writes);
}
