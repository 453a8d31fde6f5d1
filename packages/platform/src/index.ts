/**
 * The composition root: the one package that knows all the others. It reads the configuration once, claims the data
 * directory, opens what stores things, builds the components with the few capabilities that they may have, and starts
 * everything in the order in which it depends on each other; stopping is the same order backwards.
 */
export * from "./cluster.ts";
export * from "./config.ts";
export * from "./data-directory.ts";
export * from "./image-library.ts";
export * from "./platform.ts";
export * from "./ports.ts";
