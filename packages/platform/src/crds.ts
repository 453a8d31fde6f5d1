import type { Client } from "@sluice/client";
import { apiVersionOf, defineResource, type KubernetesObject, type Resource } from "@sluice/kubernetes";

interface CustomResourceDefinition extends KubernetesObject {
  status?: { conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[] };
}

const CRDS: Resource<CustomResourceDefinition> = defineResource({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  scope: "Cluster",
  schema: {},
  subresources: { status: true },
});

/** Installs the kinds that components define, and returns once the API serves them. */
export async function installResources(client: Client, resources: readonly Resource<KubernetesObject>[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    [...Map.groupBy(resources, (resource) => `${resource.plural}.${resource.group}`)].map(async ([name, versions]) => {
      const applied = await client.apply(CRDS, manifestOf(name, versions), { owner: "sluice", force: true });
      if (isEstablished(applied)) return;
      for await (const event of client.watch(CRDS, { fieldSelector: `metadata.name=${name}`, signal })) {
        if (event.type !== "ERROR" && event.type !== "BOOKMARK" && isEstablished(event.object)) return;
      }
    }),
  );
}

function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True") ?? false;
}

/** The definition of one kind from its versions; the last one is stored. */
function manifestOf(
  name: string,
  versions: readonly Resource<KubernetesObject>[],
): { apiVersion: string; kind: string; metadata: { name: string }; spec: unknown } {
  const stored = versions.at(-1);
  if (stored === undefined) throw new Error(`${name} has no version`);
  const { kind, listKind, plural, singular, shortNames, categories } = stored;
  return {
    apiVersion: apiVersionOf(CRDS),
    kind: CRDS.kind,
    metadata: { name },
    spec: {
      group: stored.group,
      scope: stored.scope,
      names: { kind, listKind, plural, singular, shortNames, categories },
      versions: versions.map((version) => ({
        name: version.version,
        served: true,
        storage: version === stored,
        schema: { openAPIV3Schema: version.schema },
        subresources: {
          ...(version.subresources.status ? { status: {} } : {}),
          ...(version.subresources.scale === undefined ? {} : { scale: version.subresources.scale }),
        },
        additionalPrinterColumns: version.columns,
        selectableFields: version.selectableFields.map((field) => ({ jsonPath: `.${field}` })),
      })),
    },
  };
}
