/** Prints the compiled pipeline: what any Kubeflow Pipelines v2 server, and the Python SDK, can read. */
import { compile } from "@sluice/sdk";
import digits from "./pipeline.ts";

process.stdout.write(compile(digits));
