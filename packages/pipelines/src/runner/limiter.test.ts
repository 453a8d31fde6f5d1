import fc from "fast-check";
import { expect, test } from "vitest";
import { Limiter } from "./limiter.ts";

test("never lets more than the limit go on, and lets all go on in their order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 40 }), async (limit, pieces) => {
      const limiter = new Limiter(limit);
      const begun: number[] = [];
      let now = 0;
      const all = pieces.map(async ([turns, fails], index) => {
        const work = async (): Promise<void> => {
          begun.push(index);
          expect(++now).toBeLessThanOrEqual(limit);
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          now--;
          if (fails) throw new Error("no");
        };
        await limiter.run(work).catch((error: Error) => expect(error.message).toBe("no"));
      });
      await Promise.all(all);
      expect(begun).toEqual(pieces.map((_, index) => index));
      expect(now).toBe(0);
    }),
  );
});
