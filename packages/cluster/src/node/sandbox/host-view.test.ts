import { expect, test } from "vitest";
import { isWithin, makeRoom, shownAt, throughLinks, type ViewEntry } from "./host-view.ts";

const bind = (path: string, source = path): ViewEntry => ({ kind: "bind", path, source });
const link = (path: string, target: string): ViewEntry => ({ kind: "link", path, target });
const tree: Readonly<Record<string, readonly ViewEntry[]>> = {
  "/usr": [bind("/usr/bin"), bind("/usr/share"), link("/usr/tmp", "../var/tmp")],
  "/usr/share": [bind("/usr/share/doc"), bind("/usr/share/info")],
};
const children = ({ path }: ViewEntry): readonly ViewEntry[] | undefined => tree[path];

test("a directory that cannot be written makes room for a mount point by its children", () => {
  const view = [bind("/usr"), bind("/opt"), link("/bin", "usr/bin")];
  expect(makeRoom(view, ["/usr/share/mine"], children)).toEqual([
    bind("/usr/bin"),
    bind("/usr/share/doc"),
    bind("/usr/share/info"),
    link("/usr/tmp", "../var/tmp"),
    bind("/opt"),
    link("/bin", "usr/bin"),
  ]);
  expect(makeRoom(view, ["/data", "/opt"], children)).toEqual(view);
});

test("links are followed, relative and absolute alike", () => {
  const view = [link("/bin", "usr/bin"), link("/var/run", "../run")];
  expect(throughLinks(view, "/var/run/secrets/x")).toBe("/run/secrets/x");
  expect(throughLinks(view, "/bin")).toBe("/usr/bin");
  expect(throughLinks(view, "/binary")).toBe("/binary");
});

test("what is shown may lie elsewhere", () => {
  expect(shownAt([bind("/etc", "/copy")], "/etc/hosts")).toBe("/copy/hosts");
  expect(shownAt([bind("/etc", "/copy")], "/data")).toBe("/data");
});

test("isWithin knows whole names", () => {
  expect(isWithin("/a", "/a/b")).toBe(true);
  expect(isWithin("/a", "/a")).toBe(true);
  expect(isWithin("/a", "/ab")).toBe(false);
  expect(isWithin("/", "/ab")).toBe(true);
});
