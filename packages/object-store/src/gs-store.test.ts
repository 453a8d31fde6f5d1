import { expect, test } from "vitest";
import { gsStore } from "./gs-store.ts";

test.each([
  "http://127.0.0.1:1",
  "http://169.254.169.254",
  "https://storage.example.com",
  "http://storage.googleapis.com",
  "https://evilgoogleapis.com",
])("an endpoint %s, which is not Google's, is not asked unless it is listed", async (endpoint) => {
  const store = gsStore({ endpoint, credentials: "anonymous", name: `the store at ${endpoint}` });
  await expect(store.stat("gs://b/x")).rejects.toMatchObject({
    reason: "Forbidden",
    message: expect.stringContaining("artifacts.privateHosts") as string,
  });
});

test("a key that would have another server asked for a token is none", async () => {
  const key = JSON.stringify({ type: "external_account", token_url: "http://127.0.0.1:1", credential_source: { url: "http://127.0.0.1:1" } });
  const store = gsStore({ credentials: { key }, name: "Google Cloud Storage" });
  await expect(store.stat("gs://b/x")).rejects.toMatchObject({ message: expect.stringContaining("only service_account is known") as string });
});
