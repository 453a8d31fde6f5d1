export * from "./images.ts";
export * from "./open-images.ts";
