import { join } from "node:path";
import type { Logger } from "@sluice/controller";
import { destination, pino, stdSerializers } from "pino";
import type { Config } from "./config.ts";

/** The platform's log: JSON lines in the data directory, or on standard error. */
export function openLogger({ log, logLevel, dataDir }: Config): Logger & AsyncDisposable {
  const stream = destination(
    log === "stderr" ? { dest: 2, sync: true } : { dest: join(dataDir, "sluice.log"), append: true, mode: 0o600, sync: true },
  );
  stream.on("error", () => undefined); // A full disk must not end the program: what keeps state says so itself.
  const logger = pino(
    { level: logLevel, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, serializers: { error: stdSerializers.err } },
    stream,
  );
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    async [Symbol.asyncDispose]() {
      logger.level = "silent"; // What still ends has nowhere to say so.
      if (log === "file") stream.end();
    },
  };
}
