import type { ImageName } from "../image-name.ts";

/** The one way to write an image's name: with its registry, Docker Hub's `library`, and a tag or a digest. */
export function canonicalName({ registry, repository, tag, digest }: ImageName): string {
  const path = `${registry}/${repositoryPath({ registry, repository })}`;
  return digest === undefined ? `${path}:${tag ?? "latest"}` : `${path}@${digest}`;
}

/** A repository as its registry calls it. */
export function repositoryPath({ registry, repository }: Pick<ImageName, "registry" | "repository">): string {
  return registry === "docker.io" && !repository.includes("/") ? `library/${repository}` : repository;
}

/** Whether two canonical names are of one repository. */
export function sameRepository(a: string, b: string): boolean {
  return repositoryOf(a) === repositoryOf(b);
}

/** A canonical name without tag or digest. */
export function repositoryOf(name: string): string {
  const [path = ""] = name.split("@");
  const colon = path.lastIndexOf(":");
  return colon > path.lastIndexOf("/") ? path.slice(0, colon) : path;
}
