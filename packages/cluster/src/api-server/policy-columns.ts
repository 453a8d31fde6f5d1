import {
  Ingress,
  MutatingWebhookConfiguration,
  NetworkPolicy,
  PodDisruptionBudget,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@sluice/kubernetes";
import { AGE, NAME, count, define, few, selector, text } from "./computed-column.ts";

define(Ingress, [
  NAME,
  text("Class", ({ spec }) => spec?.ingressClassName ?? "<none>"),
  text("Hosts", ({ spec }) =>
    few(
      (spec?.rules ?? []).flatMap(({ host = "" }) => (host === "" ? [] : [host])),
      "*",
    ),
  ),
  text("Address", ({ status }) => (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? "").join(",")),
  text("Ports", ({ spec }) => ((spec?.tls ?? []).length === 0 ? "80" : "80, 443")),
  AGE,
]);

define(NetworkPolicy, [NAME, text("Pod-Selector", ({ spec }) => selector(spec?.podSelector)), AGE]);

define(PodDisruptionBudget, [
  NAME,
  text("Min Available", ({ spec }) => String(spec?.minAvailable ?? "N/A")),
  text("Max Unavailable", ({ spec }) => String(spec?.maxUnavailable ?? "N/A")),
  count("Allowed Disruptions", ({ status }) => status?.disruptionsAllowed),
  AGE,
]);

define(MutatingWebhookConfiguration, [NAME, count("Webhooks", ({ webhooks }) => webhooks?.length), AGE]);
define(ValidatingWebhookConfiguration, [NAME, count("Webhooks", ({ webhooks }) => webhooks?.length), AGE]);

define(ValidatingAdmissionPolicy, [
  NAME,
  count("Validations", ({ spec }) => spec?.validations?.length),
  text("ParamKind", ({ spec }) => (spec?.paramKind === undefined ? "<unset>" : `${spec.paramKind.apiVersion ?? ""}/${spec.paramKind.kind ?? ""}`)),
  AGE,
]);

define(ValidatingAdmissionPolicyBinding, [
  NAME,
  text("PolicyName", ({ spec }) => spec?.policyName ?? ""),
  text("ParamRef", ({ spec }) => {
    const { name, namespace = "*", selector: labels } = spec?.paramRef ?? {};
    if (name !== undefined) return `${namespace}/${name}`;
    return labels === undefined ? "<unset>" : selector(labels);
  }),
  AGE,
]);
