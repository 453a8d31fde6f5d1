import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { RUN_LABEL } from "../engine/index.ts";
import { WIDE } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

const WORKSPACE = { platforms: { kubernetes: { pipelineConfig: { workspace: { size: "1Gi" } } } } };
const BODY = {
  display_name: "r",
  pipeline_spec: { pipeline_spec: WIDE, platform_spec: WORKSPACE },
  runtime_config: { parameters: { items: [1, 2, 3, 4, 5] } },
};
const STEP = fc.record({
  verb: fc.constantFrom("create", "create", "terminate", "delete", "retry"),
  /** Which of the runs that there are. */
  target: fc.nat(20),
  /** How long the world goes on before the next step. */
  turns: fc.nat(12),
  dies: fc.boolean(),
});

test("what a process acknowledged stays so, whatever was asked of it and whenever it died", { timeout: 60_000 }, async () => {
  vi.spyOn(console, "error").mockReturnValue();
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 3, maxLength: 12 }), async (steps) => {
      await using world = new World();
      await world.boot();
      let pods = 0;
      world.work = () => [{ hangs: true }, { exitCode: 1 }, {}, {}][pods++ % 4] ?? {};
      const acknowledged = new Map<string, "exists" | "stops" | "is gone">();
      let life = 0;
      const ask = async (method: string, path: string): Promise<{ run_id: string } | undefined> => {
        const asked = life;
        const { status, body } = await world.request(method, path, path === "/runs" ? BODY : undefined);
        return asked === life && status === 200 ? body : undefined;
      };
      for (const { verb, target, turns, dies } of steps) {
        const known = [...acknowledged.keys()];
        const id = known[target % known.length];
        const learn = (run: string, fact: "exists" | "stops" | "is gone"): void => {
          if (acknowledged.get(run) !== "is gone") acknowledged.set(run, fact);
        };
        if (verb === "create" || id === undefined) void ask("POST", "/runs").then((run) => run && learn(run.run_id, "exists"));
        else if (verb === "delete") void ask("DELETE", `/runs/${id}`).then((done) => done && learn(id, "is gone"));
        else void ask("POST", `/runs/${id}:${verb}`).then((done) => done && learn(id, verb === "terminate" ? "stops" : "exists"));
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        if (!dies) continue;
        life++;
        await world.boot();
      }
      life++;
      await world.boot();
      for (const [id, fact] of acknowledged) {
        await vi.waitFor(async () => {
          const { status, body } = await world.request("GET", `/runs/${id}`);
          const { state } = body as { state: string };
          const left = [...world.objects.values()].filter(({ metadata }) => metadata.labels?.[RUN_LABEL] === id).map(({ kind }) => kind);
          if (fact === "is gone") expect([status, await world.store.tasks.ofRun(id), left]).toEqual([404, [], []]);
          else if (status === 200 && fact === "stops") expect(["CANCELED", "FAILED", "SUCCEEDED"]).toContain(state);
          if (state === "SUCCEEDED") expect(left).not.toContain("PersistentVolumeClaim");
        });
      }
      expect(new Set(world.created).size).toBe(world.created.length);
    }),
    { numRuns: 15, endOnFailure: true, interruptAfterTimeLimit: 40_000 },
  );
  vi.restoreAllMocks();
});
