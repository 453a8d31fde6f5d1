/** The parts of an image's name. */
export interface ImageName {
  readonly registry: string;
  /** Without the `library/` that Docker Hub's own images have. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const PATTERN = new RegExp(`^(${COMPONENT}(?:/${COMPONENT})*)(?::(\\w[\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?$`, "u");
const REGISTRY = /^(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+:\d+|\[[0-9a-fA-F:]+\](?::\d+)?)$/u;

/** Parses `registry/repository:tag@digest` by the rules of container registries; undefined where it breaks them. */
export function parseImageName(image: string): ImageName | undefined {
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  const hasRegistry = REGISTRY.test(first);
  const [, path, tag, digest] = PATTERN.exec(hasRegistry ? image.slice(slash + 1) : image) ?? [];
  if (path === undefined || path.length > 255) return undefined;
  const registry = hasRegistry && first !== "index.docker.io" ? first : "docker.io";
  const repository = registry === "docker.io" ? path.replace(/^library\//u, "") : path;
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}
