import { ApiError, UserError } from "@sluice/kubernetes";

/** Prints an error as a person can use it, and returns the exit code. Only what nobody foresaw has a stack. */
export function reportError(error: unknown, output: { write(text: string): unknown }): number {
  if (error instanceof UserError) {
    output.write(`error: ${error.message}\n${error.fix === undefined ? "" : `  fix: ${error.fix}\n`}`);
  } else if (error instanceof ApiError) {
    output.write(`error: ${error.message}\n`);
  } else {
    output.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
  return 1;
}
