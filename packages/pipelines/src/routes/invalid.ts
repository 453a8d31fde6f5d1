import { ApiError } from "@sluice/kubernetes";

/** A refusal that names the field. */
export function invalid(path: string, problem: string): ApiError {
  return new ApiError("BadRequest", path === "" ? problem : `${path}: ${problem}`);
}
