import fc from "fast-check";
import { expect, test } from "vitest";
import { planMirror, type MirrorView } from "./plan-mirror.ts";

const link = { rowId: "r", uid: "u", base: "a" };
const row = { content: "a" };
const object = { uid: "u", content: "a", isLeaving: false };

test.each<[string, MirrorView, string]>([
  ["nobody knows it", {}, "nothing"],
  ["an object appeared", { object }, "import"],
  ["an object that nobody knows leaves", { object: { ...object, isLeaving: true } }, "nothing"],
  ["a row appeared", { link: { ...link, uid: "" }, row }, "publish"],
  ["a row went before it was shown", { link: { ...link, uid: "" } }, "forget"],
  ["an object was made, and nobody noted it", { link: { ...link, uid: "" }, row, object }, "adopt"],
  ["so was one whose row went meanwhile", { link: { ...link, uid: "" }, object: { ...object, rowId: "r" } }, "deleteObject"],
  ["somebody else's object has the name of a row that went", { link: { ...link, uid: "" }, object }, "forget"],
  ["the object was deleted", { link, row }, "deleteRow"],
  ["both were deleted", { link }, "forget"],
  ["the row was deleted", { link, object }, "deleteObject"],
  ["the row was deleted, and its object leaves", { link, object: { ...object, isLeaving: true } }, "nothing"],
  ["the object was replaced", { link, row, object: { ...object, uid: "other" } }, "deleteRow"],
  ["all is well", { link, row, object }, "nothing"],
  ["the object changed", { link, row, object: { ...object, content: "b" } }, "takeObject"],
  ["the row changed", { link, row: { content: "b" }, object }, "takeRow"],
  ["both changed", { link, row: { content: "b" }, object: { ...object, content: "c" } }, "takeRow"],
  ["both changed alike", { link, row: { content: "b" }, object: { ...object, content: "b" } }, "settle"],
])("where %s", (_case, view, step) => {
  expect(planMirror(view)).toBe(step);
});

/** One name in a small world: what a REST client and a kubectl user do to it, and a mirror that dies between any two writes. */
class Scene {
  link: { rowId: string; uid: string; base: string } | undefined;
  row: { id: string; content: string } | undefined;
  object: { uid: string; content: string; rowId?: string } | undefined;
  #ids = 0;

  rest(verb: "create" | "change" | "delete", content: string): void {
    if (verb === "create" && this.row === undefined && this.link === undefined) {
      this.row = { id: `r${++this.#ids}`, content };
      this.link = { rowId: this.row.id, uid: "", base: "" };
    } else if (verb === "change" && this.row !== undefined) this.row.content = content;
    else if (verb === "delete") this.row = undefined;
  }

  kubectl(verb: "create" | "change" | "delete", content: string): void {
    if (verb === "create" && this.object === undefined) this.object = { uid: `u${++this.#ids}`, content };
    else if (verb === "change" && this.object !== undefined) this.object.content = content;
    else if (verb === "delete") this.object = undefined;
  }

  /** Takes a step; each of its writes costs one of `writes`, and after the last the process is dead. */
  step(writes: { left: number }): boolean {
    const linked = this.link !== undefined && this.row?.id === this.link.rowId ? this.row : undefined;
    const step = planMirror({ link: this.link, row: linked, object: this.object === undefined ? undefined : { ...this.object, isLeaving: false } });
    const write = (change: () => void): void => {
      if (writes.left-- > 0) change();
    };
    const { row: known, object: seen, link: bond } = this;
    switch (step) {
      case "nothing":
        return false;
      case "import":
        if (seen !== undefined) {
          write(() => {
            this.row = { id: seen.uid, content: seen.content };
            this.link = { rowId: seen.uid, uid: seen.uid, base: seen.content };
          });
        }
        break;
      case "publish":
        if (known === undefined) break;
        write(() => (this.object = { uid: `u${++this.#ids}`, content: known.content, rowId: known.id }));
        write(() => this.link && this.object && Object.assign(this.link, { uid: this.object.uid, base: known.content }));
        break;
      case "adopt":
        write(() => bond && Object.assign(bond, { uid: seen?.uid, base: seen?.rowId === bond.rowId ? seen.content : known?.content }));
        break;
      case "forget":
        write(() => (this.link = undefined));
        break;
      case "deleteRow":
        write(() => (this.row = undefined));
        break;
      case "deleteObject":
        write(() => (this.object = undefined));
        break;
      case "takeObject":
        write(() => known && (known.content = seen?.content ?? ""));
        write(() => bond && (bond.base = seen?.content ?? ""));
        break;
      case "takeRow":
        write(() => seen && (seen.content = known?.content ?? ""));
        write(() => bond && (bond.base = known?.content ?? ""));
        break;
      case "settle":
        write(() => bond && (bond.base = known?.content ?? ""));
        break;
    }
    return writes.left > 0;
  }
}

test("whoever does what, and whenever the mirror dies, both sides come to show the last that was done", () => {
  const act = fc.record({
    side: fc.constantFrom("rest", "kubectl"),
    verb: fc.constantFrom("create", "change", "change", "delete"),
    /** How many writes the mirror gets done before it dies. */
    writes: fc.nat(6),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 20 }), (acts) => {
      const scene = new Scene();
      const settle = (): void => {
        for (let steps = 0; scene.step({ left: Infinity }); steps++) expect(steps).toBeLessThan(10);
      };
      acts.forEach(({ side, verb, writes }, index) => {
        const content = `c${index}`;
        if (side === "rest") scene.rest(verb as "change", content);
        else scene.kubectl(verb as "change", content);
        const budget = { left: writes };
        while (scene.step(budget));
      });
      settle();
      expect(scene.object?.content).toBe(scene.row?.content);
      expect(scene.link === undefined).toBe(scene.row === undefined);
      // Once in step, the next act of either side is what both show.
      scene.rest("change", "by rest");
      settle();
      if (scene.row !== undefined) expect([scene.row.content, scene.object?.content]).toEqual(["by rest", "by rest"]);
      scene.kubectl("change", "by kubectl");
      settle();
      if (scene.object !== undefined) expect([scene.row?.content, scene.object.content]).toEqual(["by kubectl", "by kubectl"]);
      scene.kubectl("delete", "");
      settle();
      expect([scene.row, scene.object, scene.link]).toEqual([undefined, undefined, undefined]);
    }),
    { numRuns: 2000 },
  );
});
