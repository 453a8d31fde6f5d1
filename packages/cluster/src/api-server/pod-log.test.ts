import type { LogOptions } from "@sluice/client";
import { expect, test } from "vitest";
import type { NodeAccess } from "./api-server.ts";
import { openWorld } from "./world.fixture.ts";

test("flags are read as Go reads them, however a client spells them", async () => {
  const asked: LogOptions[] = [];
  const node: Pick<NodeAccess, "log"> = {
    log: async (_, options) => {
      asked.push(options);
      return (async function* () {})();
    },
  };
  await using world = await openWorld({ nodes: () => node as NodeAccess });
  const pods = "/api/v1/namespaces/default/pods";
  await world.send("POST", pods, {
    body: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { nodeName: "n", containers: [{ name: "a", image: "x" }] } },
  });
  const ask = async (query: Record<string, string>): Promise<LogOptions | undefined> => {
    await world.api.send({ method: "GET", path: `${pods}/p/log`, query }, { username: "admin", groups: ["system:masters"] });
    return asked.pop();
  };
  for (const yes of ["true", "True", "1"]) {
    expect(await ask({ follow: yes, previous: yes, timestamps: yes })).toMatchObject({ follow: true, previous: true, timestamps: true });
  }
  for (const no of ["false", "False", "0"]) expect(await ask({ follow: no })).toMatchObject({ follow: false, previous: false });
});
