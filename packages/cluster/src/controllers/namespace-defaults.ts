import { defineController, type Controller } from "@sluice/controller";
import { ConfigMap, isApiError, Namespace, ServiceAccount, type KubernetesObject, type Resource } from "@sluice/kubernetes";
import { isNamespaceTerminating } from "./namespace-terminating.ts";

const ROOT_CA_DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** Gives every namespace the account that pods act as unless they name another. */
export function serviceAccountController(): Controller {
  return everyNamespaceHas(ServiceAccount, {
    controller: "serviceaccount-controller",
    name: "default",
    object: (namespace) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } }),
    isRight: () => true,
  });
}

/** Gives every namespace the certificate (PEM) by which its pods know the API server. */
export function rootCaController(rootCa: string): Controller {
  return everyNamespaceHas(ConfigMap, {
    controller: "root-ca-certificate-publisher",
    name: "kube-root-ca.crt",
    object: (namespace) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kube-root-ca.crt", namespace, annotations: { "kubernetes.io/description": ROOT_CA_DESCRIPTION } },
      data: { "ca.crt": rootCa },
    }),
    isRight: ({ data = {} }) => data["ca.crt"] === rootCa && Object.keys(data).length === 1,
  });
}

interface Default<T extends KubernetesObject> {
  readonly controller: string;
  readonly name: string;
  object(namespace: string): T;
  isRight(object: T): boolean;
}

function everyNamespaceHas<T extends KubernetesObject>(resource: Resource<T>, wanted: Default<T>): Controller {
  return defineController({
    name: wanted.controller,
    for: Namespace,
    when: (before, after) => before === undefined && after !== undefined,
    watches: [
      { resource, keys: ({ metadata: { name, namespace } }) => (name === wanted.name && namespace !== undefined ? [{ name: namespace }] : []) },
    ],
    async reconcile({ name: namespace }, { cache, client }) {
      const home = cache.get(Namespace, { name: namespace });
      if (home === undefined || home.metadata.deletionTimestamp !== undefined) return;
      const present = cache.get(resource, { namespace, name: wanted.name });
      try {
        if (present === undefined) await client.create(resource, wanted.object(namespace));
        else if (!wanted.isRight(present)) await client.update(resource, { ...wanted.object(namespace), metadata: present.metadata });
      } catch (error) {
        if (!isNamespaceTerminating(error) && !isApiError(error, "AlreadyExists")) throw error;
      }
    },
  });
}
