import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isApiError } from "./errors.ts";
import { decodeProtobuf } from "./protobuf.ts";

type Part = readonly [number, string | number | Uint8Array | readonly Part[]];

const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]);
const isMessage = (value: Part[1]): value is readonly Part[] => Array.isArray(value);

/** An encoder as small as can be: text and messages by length, numbers as varints. */
function encode(parts: readonly Part[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap(([number, value]) => {
      if (typeof value === "number") return [...varint(number * 8), ...varint(value)];
      const bytes = typeof value === "string" ? new TextEncoder().encode(value) : isMessage(value) ? encode(value) : value;
      return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
    }),
  );
}

const body = (apiVersion: string, kind: string, parts: readonly Part[]): Uint8Array =>
  Uint8Array.from([
    0x6b,
    0x38,
    0x73,
    0,
    ...encode([
      [
        1,
        [
          [1, apiVersion],
          [2, kind],
        ],
      ],
      [2, parts],
    ]),
  ]);

describe("protobuf", () => {
  it("decodes a Job as Go would have written it in JSON", () => {
    const container: Part[] = [
      [1, "main"],
      [2, ""],
      [3, "sh"],
      [3, "-c"],
      [
        8,
        [
          [
            1,
            [
              [1, "cpu"],
              [2, [[1, "500m"]]],
            ],
          ],
        ],
      ],
      [16, 0],
    ];
    const probe: Part[] = [
      [
        10,
        [
          [
            1,
            [
              [
                2,
                [
                  [1, "/"],
                  [
                    2,
                    [
                      [1, 0],
                      [2, 8080],
                      [3, ""],
                    ],
                  ],
                ],
              ],
            ],
          ],
        ],
      ],
    ];
    const pod: Part[] = [
      [
        1,
        [
          [1, "v"],
          [2, [[6, [[1, "s"]]]]],
        ],
      ],
      [2, [...container, ...probe]],
      [3, "Never"],
      [4, 30],
      [11, 0],
    ];
    const decoded = decodeProtobuf(
      body("batch/v1", "Job", [
        [
          1,
          [
            [1, "j"],
            [8, []],
            [
              11,
              [
                [1, "a"],
                [2, "b"],
              ],
            ],
          ],
        ],
        [
          2,
          [
            [1, 0],
            [
              6,
              [
                [1, []],
                [2, pod],
              ],
            ],
          ],
        ],
        [3, []],
      ]),
    );
    expect(decoded).toEqual({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "j", labels: { a: "b" } },
      spec: {
        parallelism: 0,
        template: {
          spec: {
            volumes: [{ name: "v", secret: { secretName: "s" } }],
            containers: [
              {
                name: "main",
                command: ["sh", "-c"],
                resources: { limits: { cpu: "500m" } },
                livenessProbe: { httpGet: { path: "/", port: 8080 } },
              },
            ],
            restartPolicy: "Never",
            terminationGracePeriodSeconds: 30,
          },
        },
      },
    });
  });

  it("decodes options, times, bytes and negative numbers", () => {
    expect(
      decodeProtobuf(
        body("v1", "DeleteOptions", [
          [1, 0],
          [4, "Background"],
        ]),
      ),
    ).toEqual({
      apiVersion: "v1",
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
      propagationPolicy: "Background",
    });
    const lease = body("coordination.k8s.io/v1", "Lease", [
      [
        2,
        [
          [1, "me"],
          [
            3,
            [
              [1, 1_700_000_000],
              [2, 123_456_789],
            ],
          ],
        ],
      ],
    ]);
    expect(decodeProtobuf(lease)["spec"]).toEqual({ holderIdentity: "me", acquireTime: "2023-11-14T22:13:20.123456Z" });
    expect(
      decodeProtobuf(
        body("v1", "Secret", [
          [
            2,
            [
              [1, "k"],
              [2, Uint8Array.of(255, 0)],
            ],
          ],
        ]),
      )["data"],
    ).toEqual({ k: "/wA=" });
  });

  it("refuses kinds that have no protobuf form", () => {
    expect(() => decodeProtobuf(body("x.io/v1", "Foo", []))).toThrow("send application/json");
  });

  it("keeps any ConfigMap", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ unit: "grapheme" })), (data) => {
        const parts = Object.entries(data).map(([key, value]): Part => [
          2,
          [
            [1, key],
            [2, value],
          ],
        ]);
        const decoded = decodeProtobuf(body("v1", "ConfigMap", parts))["data"] ?? {};
        expect(Object.entries(decoded)).toEqual(Object.entries(data));
      }),
    );
  });

  it("answers hostile bytes with BadRequest or an object, never anything else", () => {
    const whole = [
      ...body("v1", "Pod", [
        [1, [[1, "p"]]],
        [
          2,
          [
            [2, [[1, "c"]]],
            [
              7,
              [
                [1, "a"],
                [2, "b"],
              ],
            ],
          ],
        ],
      ]),
    ];
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(whole.length), (edits, length) => {
        const bytes = Uint8Array.from(whole.slice(0, length));
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        try {
          return typeof decodeProtobuf(bytes) === "object";
        } catch (error) {
          return isApiError(error, "BadRequest") || isApiError(error, "UnsupportedMediaType");
        }
      }),
      { numRuns: 500 },
    );
  });
});
