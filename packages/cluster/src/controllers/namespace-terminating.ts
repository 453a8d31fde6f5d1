import { isApiError } from "@sluice/kubernetes";

/** Whether a creation failed only because its namespace is going or gone, so that nothing is left to do. */
export function isNamespaceTerminating(error: unknown): boolean {
  if (!isApiError(error)) return false;
  const { causes = [], kind } = error.details ?? {};
  return causes.some(({ reason }) => reason === "NamespaceTerminating") || (error.reason === "NotFound" && kind === "namespaces");
}
