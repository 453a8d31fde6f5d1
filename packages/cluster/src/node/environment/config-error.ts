/** A container that cannot be made from what its pod refers to: waiting reason `CreateContainerConfigError`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
