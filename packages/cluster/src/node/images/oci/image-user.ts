import { readFileSync } from "node:fs";
import { pathInRoot } from "../../sandbox/oci/path-in-root.ts";

/** Who a container's process is, by numbers. */
export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  /** The further groups that the image's own list has the user in. */
  readonly groups: readonly number[];
  readonly home: string;
}

/** A user or group that the image does not know by that name. */
export class UnknownUserError extends Error {
  override readonly name = "UnknownUserError";
}

/** Whether an image names its user by a name, so that only its own list of users says who that is. */
export function isUserName(user: string): boolean {
  return !/^\d*$/u.test(user.split(":")[0] ?? "");
}

/**
 * Looks up who `user` is, in the words of images: `name`, `uid`, `name:group`, `uid:gid`, or nothing for root, by the lists of users and
 * groups in the image's files. `uid` and `gid` are what the pod says instead.
 */
export function findUser(
  root: string,
  user: string,
  instead: { readonly uid?: number | undefined; readonly gid?: number | undefined } = {},
): ImageUser {
  const users = tableOf(root, "/etc/passwd").map(([name = "", , uid = "", gid = "", , home = ""]) => ({
    name,
    uid: Number(uid),
    gid: Number(gid),
    home,
  }));
  const groups = tableOf(root, "/etc/group").map(([name = "", , gid = "", members = ""]) => ({
    name,
    gid: Number(gid),
    members: members.split(","),
  }));
  const [userWord = "", groupWord = ""] = instead.uid === undefined ? user.split(":") : [String(instead.uid)];
  const known = users.find(({ name, uid }) => (/^\d+$/u.test(userWord) ? uid === Number(userWord) : name === (userWord === "" ? "root" : userWord)));
  const uid = known?.uid ?? numberOf(userWord, "user");
  const group = groups.find(({ name, gid }) => (/^\d+$/u.test(groupWord) ? gid === Number(groupWord) : name === groupWord));
  const gid = instead.gid ?? (groupWord === "" ? (known?.gid ?? 0) : (group?.gid ?? numberOf(groupWord, "group")));
  return {
    uid,
    gid,
    groups: known === undefined ? [] : groups.flatMap((one) => (one.members.includes(known.name) ? [one.gid] : [])),
    home: known?.home || "/",
  };
}

function numberOf(word: string, what: "user" | "group"): number {
  if (word === "") return 0;
  if (/^\d+$/u.test(word)) return Number(word);
  throw new UnknownUserError(`unable to find ${what} ${word}: no matching entries in ${what === "user" ? "passwd" : "group"} file`);
}

/** The lines of a file of the image, by fields; none if it has no such file. */
function tableOf(root: string, path: string): readonly (readonly string[])[] {
  const place = pathInRoot(root, path);
  if (place === undefined) return [];
  try {
    return readFileSync(place, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split(":"));
  } catch {
    return []; // Images need no such files, and what is a directory there is none.
  }
}
