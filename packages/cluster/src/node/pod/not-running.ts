import { ApiError } from "@sluice/kubernetes";

/** There is no such container, or it does not run: in the kubelet's words. */
export function notRunning(container: string): ApiError {
  return new ApiError("InternalError", `unable to upgrade connection: container not found (${JSON.stringify(container)})`);
}
