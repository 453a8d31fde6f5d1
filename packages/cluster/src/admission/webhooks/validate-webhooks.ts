import {
  jsonEqual,
  type Cause,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  type UnknownObject,
  type WebhookClientConfig,
} from "@sluice/kubernetes";
import { duplicate, notSupported, required, validateConditions, validateRule, validateSelector, wrong } from "../validate-match.ts";

const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/u;
const LABEL = /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/u;
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const LABEL_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const HARMLESS: readonly string[] = ["None", "NoneOnDryRun"];
const SPOKEN: readonly string[] = ["v1", "v1beta1"];
const FORM = "; desired format: https://host[/path]";

/** What is wrong with a configuration of webhooks of either kind, as the successor of `current` if there is one. */
export function validateWebhooks(next: UnknownObject, current: UnknownObject | undefined): Cause[] {
  const { webhooks = [] } = next as UnknownObject & MutatingWebhookConfiguration;
  const before = (current as (UnknownObject & MutatingWebhookConfiguration) | undefined)?.webhooks;
  const names = new Set<string>();
  return webhooks.flatMap((webhook, i): Cause[] => {
    const at = `webhooks[${i}]`;
    const isTaken = names.has(webhook.name);
    names.add(webhook.name);
    // What was acceptable once stays so while nobody touches it.
    const isKept = before !== undefined && jsonEqual(before[i]?.matchConditions, webhook.matchConditions);
    return [
      ...validateWebhook(webhook, at),
      ...(isTaken && webhook.name !== "" ? [duplicate(`${at}.name`, webhook.name)] : []),
      ...(isKept ? [] : validateConditions(webhook.matchConditions ?? [], `${at}.matchConditions`)),
    ];
  });
}

function validateWebhook(webhook: MutatingWebhook, at: string): Cause[] {
  const { name, rules = [], sideEffects, timeoutSeconds = 10, namespaceSelector, objectSelector, clientConfig } = webhook;
  return [
    ...validateName(name, `${at}.name`),
    ...rules.flatMap((rule, i) => validateRule(rule, `${at}.rules[${i}]`)),
    ...(HARMLESS.includes(sideEffects) ? [] : [notSupported(`${at}.sideEffects`, sideEffects, HARMLESS)]),
    ...(timeoutSeconds < 1 || timeoutSeconds > 30
      ? [wrong(`${at}.timeoutSeconds`, timeoutSeconds, "the timeout value must be between 1 and 30 seconds")]
      : []),
    ...validateSelector(namespaceSelector, `${at}.namespaceSelector`),
    ...validateSelector(objectSelector, `${at}.objectSelector`),
    ...validateClient(clientConfig, `${at}.clientConfig`),
    ...validateVersions(webhook.admissionReviewVersions, `${at}.admissionReviewVersions`),
  ];
}

function validateName(name: string, field: string): Cause[] {
  if (name === "") return [required(field)];
  if (!SUBDOMAIN.test(name))
    return [
      wrong(
        field,
        name,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      ),
    ];
  return name.split(".").length < 3 ? [wrong(field, name, "should be a domain with at least three segments separated by dots")] : [];
}

function validateVersions(versions: readonly string[], field: string): Cause[] {
  if (versions.length === 0) return [required(field, `must specify one of ${SPOKEN.join(", ")}`)];
  const causes = versions.flatMap((version, i): Cause[] => {
    if (versions.indexOf(version) < i) return [wrong(`${field}[${i}]`, version, "duplicate version")];
    return LABEL.test(version) ? [] : [wrong(`${field}[${i}]`, version, LABEL_RULE)];
  });
  return versions.some((version) => SPOKEN.includes(version))
    ? causes
    : [...causes, wrong(field, versions, `must include at least one of ${SPOKEN.join(", ")}`)];
}

function validateClient({ url, service }: WebhookClientConfig, field: string): Cause[] {
  if ((url === undefined) === (service === undefined)) return [required(field, "exactly one of url or service is required")];
  return [
    ...(url === undefined ? [] : validateUrl(url, `${field}.url`)),
    ...(service === undefined ? [] : validateService(service, `${field}.service`)),
  ];
}

function validateUrl(url: string, field: string): Cause[] {
  if (!URL.canParse(url)) return [required(field, `url must be a valid URL: ${JSON.stringify(url)} is none${FORM}`)];
  const { protocol, host, username, password, hash, search } = new URL(url);
  return [
    ...(protocol === "https:" ? [] : [wrong(field, protocol.slice(0, -1), `'https' is the only allowed URL scheme${FORM}`)]),
    ...(host === "" ? [wrong(field, host, `host must be specified${FORM}`)] : []),
    ...(username === "" && password === "" ? [] : [wrong(field, username, "user information is not permitted in the URL")]),
    ...(hash === "" ? [] : [wrong(field, hash.slice(1), "fragments are not permitted in the URL")]),
    ...(search === "" ? [] : [wrong(field, search.slice(1), "query parameters are not permitted in the URL")]),
  ];
}

function validateService({ name, namespace, path, port = 443 }: NonNullable<WebhookClientConfig["service"]>, field: string): Cause[] {
  const causes: Cause[] = [];
  if (name === "") causes.push(required(`${field}.name`));
  if (namespace === "") causes.push(required(`${field}.namespace`));
  if (port < 1 || port > 65_535) causes.push(wrong(`${field}.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  if (path === undefined || path === "" || path === "/") return causes;
  if (!path.startsWith("/")) causes.push(wrong(`${field}.path`, path, "must start with a '/'"));
  const segments = path.slice(1).replace(/\/$/u, "").split("/");
  for (const [i, segment] of segments.entries()) {
    if (segment === "") causes.push(wrong(`${field}.path`, path, `segment[${i}] may not be empty`));
    else if (!SUBDOMAIN.test(segment)) causes.push(wrong(`${field}.path`, path, `segment[${i}]: ${SUBDOMAIN_RULE}`));
  }
  return causes;
}
