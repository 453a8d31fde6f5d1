import type { Client } from "@sluice/client";
import { Job, Pod, Service, type Container } from "@sluice/kubernetes";
import { expect, vi } from "vitest";

/**
 * What both pods of a job run. It learns from its environment what to do: with `JOB_COMPLETION_INDEX` 0 it listens at `PORT` of
 * all addresses, says `JOB` to two callers, and ends; with 1 it calls `OTHER` and then `PEER`, each until somebody answers, and
 * prints the two answers as lines.
 */
export type RendezvousContainer = Pick<Container, "image" | "command" | "args">;

/** The protocol in Python. */
export const PYTHON_RENDEZVOUS = `
import os, socket, time
port = int(os.environ["PORT"])
if os.environ["JOB_COMPLETION_INDEX"] == "0":
  server = socket.create_server(("0.0.0.0", port))
  for _ in range(2):
    connection, _ = server.accept()
    connection.sendall(os.environ["JOB"].encode())
    connection.close()
else:
  for host in (os.environ["OTHER"], os.environ["PEER"]):
    while True:
      try:
        print(socket.create_connection((host, port), 5).recv(99).decode(), flush=True)
        break
      except OSError:
        time.sleep(0.1)
`;

/** The protocol for a shell with netcat. */
export const SHELL_RENDEZVOUS = `
if [ "$JOB_COMPLETION_INDEX" = 0 ]; then
  for caller in 1 2; do printf %s "$JOB" | nc -l -p "$PORT"; done
else
  for host in "$OTHER" "$PEER"; do
    until answer=$(nc "$host" "$PORT" </dev/null 2>/dev/null) && [ -n "$answer" ]; do sleep 0.1; done
    echo "$answer"
  done
fi
`;

const PORT = 29500;

/** What each second pod of a job must have heard, if it found the pods that it called: the other job's first, then its own. */
export const RENDEZVOUS: Readonly<Record<string, string>> = { left: "right\nleft\n", right: "left\nright\n" };

/**
 * Runs two jobs of two pods at once that all use one port, each with a headless service, and returns what the second pod of each
 * has heard. It speaks with the first pod of the other job while that of its own is there, too.
 */
export async function rendezvous(client: Client, container: RendezvousContainer, namespace: string): Promise<Readonly<Record<string, string>>> {
  const names = ["left", "right"] as const;
  await Promise.all([start("left", "right"), start("right", "left")]);
  await vi.waitFor(
    async () => {
      const jobs = await Promise.all(names.map((name) => client.get(Job, { namespace, name })));
      expect(jobs.map(({ status }) => status?.succeeded)).toEqual([2, 2]);
    },
    { timeout: 40_000, interval: 100 },
  );
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await heardBy(name)] as const)));

  async function start(name: string, other: string): Promise<void> {
    await client.create(Service, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace, name },
      spec: { clusterIP: "None", selector: { "batch.kubernetes.io/job-name": name }, publishNotReadyAddresses: true },
    });
    const env = Object.entries({ JOB: name, PEER: `${name}-0.${name}`, OTHER: `${other}-0.${other}`, PORT: String(PORT) });
    await client.create(Job, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { namespace, name },
      spec: {
        completionMode: "Indexed",
        completions: 2,
        parallelism: 2,
        template: {
          spec: {
            subdomain: name,
            restartPolicy: "Never",
            terminationGracePeriodSeconds: 0,
            containers: [{ name: "main", ...container, env: env.map(([key, value]) => ({ name: key, value })) }],
          },
        },
      },
    });
  }

  async function heardBy(job: string): Promise<string> {
    const { items } = await client.list(Pod, {
      namespace,
      labelSelector: `batch.kubernetes.io/job-name=${job},batch.kubernetes.io/job-completion-index=1`,
    });
    let text = "";
    for await (const chunk of client.log({ namespace, name: items[0]?.metadata.name ?? "" })) text += Buffer.from(chunk).toString();
    return text;
  }
}
