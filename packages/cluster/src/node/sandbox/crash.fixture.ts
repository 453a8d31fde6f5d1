import { systemClock } from "@sluice/controller";
import { openSandboxes } from "./open-sandboxes.ts";
import { podNamed, start } from "./trial.fixture.ts";

/** Opens sandboxes in the directory of its argument, runs a process in each of two, says where, and waits to be killed. */
const [directory = ""] = process.argv.slice(2);
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const sandboxes = await openSandboxes({ directory, hidden: [directory], path: process.env["PATH"] ?? "", clock: systemClock, logger: quiet });
const addresses: Record<string, string> = {};
for (const name of ["kept", "lost"]) {
  const sandbox = await sandboxes.ensure(podNamed(name));
  addresses[name] = sandbox.podIp;
  const code =
    'import socket\ns = socket.create_server(("", 29500))\nprint("up", flush=True)\nwhile True:\n  c, _ = s.accept()\n  c.sendall(socket.gethostname().encode())\n  c.close()';
  const command = sandbox.command({
    container: "main",
    argv: ["/usr/bin/python3", "-c", code],
    env: { PATH: "/usr/bin:/bin" },
    mounts: [],
    limits: {},
  });
  // A supervisor that outlives this program, as the node has it.
  const child = start({ ...command, argv: ["/bin/sh", "-c", '"$@"; true', "sh", ...command.argv] }, { detached: true });
  await new Promise((resolve) => child.stdout?.once("data", resolve));
}
process.stdout.write(`${JSON.stringify(addresses)}\n`);
setInterval(() => {}, 1000);
