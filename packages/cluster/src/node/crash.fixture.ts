import { openWorld } from "./world.fixture.ts";

/** A cluster in its own process, to be killed: says `ready` once its node runs. */
const [, , directory = "", database = ""] = process.argv;
const world = await openWorld({
  directory,
  database,
  programs: [
    {
      image: "test/agent",
      async run({ args, signal, log }) {
        if (args[0] === "fetch") return 0;
        await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
        log("published");
        return 0;
      },
    },
  ],
});
process.stdout.write("ready\n");
process.on("exit", () => process.stderr.write(world.errors.join("\n")));
setInterval(() => {
  for (const error of world.errors.splice(0)) process.stderr.write(`${error}\n`);
}, 50);
