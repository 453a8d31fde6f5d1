import { rename, writeFile } from "node:fs/promises";

/** Writes a file that only this user may read, whole or not at all. */
export async function writeSecretFile(path: string, content: string): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, content, { mode: 0o600 });
  await rename(draft, path);
}
