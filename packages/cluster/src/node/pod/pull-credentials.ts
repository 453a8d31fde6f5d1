import { Secret, ServiceAccount, type Pod } from "@sluice/kubernetes";
import type { NodeContext } from "../node-context.ts";
import { readDockerConfig } from "../images/oci/docker-config.ts";
import type { PullCredentials } from "../images/images.ts";

/** The logins that a pod's own `imagePullSecrets` hold, then those of its service account. Secrets that are missing or wrong hold none. */
export async function pullCredentials(pod: Pod, { client }: Pick<NodeContext, "client">): Promise<PullCredentials> {
  const { namespace } = pod.metadata;
  const account = await client.find(ServiceAccount, { namespace, name: pod.spec.serviceAccountName ?? "default" });
  const names = new Set([...(pod.spec.imagePullSecrets ?? []), ...(account?.imagePullSecrets ?? [])].map(({ name }) => name ?? ""));
  const secrets = await Promise.all([...names].filter((name) => name !== "").map((name) => client.find(Secret, { namespace, name })));
  const configs = secrets.flatMap((secret) => {
    const { ".dockerconfigjson": config, ".dockercfg": old } = secret?.data ?? {};
    return [config, old].flatMap((text) => (text === undefined ? [] : [readDockerConfig(Buffer.from(text, "base64").toString("utf8"))]));
  });
  return (repository) => configs.flatMap((find) => find(repository));
}
