import { layOut } from "./graph-layout.ts";
import type { Shape } from "./graph-model.ts";

// In a worker, what is posted to itself goes to the page.
globalThis.addEventListener("message", ({ data }: MessageEvent<readonly Shape[]>) => globalThis.postMessage(layOut(data)));
