import {
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Cause,
  type LimitRange,
  type LimitRangeItem,
  type Quantity,
  type UnknownObject,
} from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { forbid } from "./immutable.ts";
import { isNativeResource, limitResourceProblems, refused } from "./resource-names.ts";

const TYPES: readonly string[] = ["Pod", "Container", "PersistentVolumeClaim"];
const AMOUNTS = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

/** Limit ranges: each type once, and bounds that something can be between. */
export const limitRangeStrategy: Strategy = {
  hasGeneration: false,
  validate: (next) => {
    const { limits } = (next as UnknownObject & LimitRange).spec;
    return limits.flatMap((item, index) => {
      const path = `spec.limits[${index}]`;
      const isKnown = item.type.includes("/") || TYPES.includes(item.type);
      return [
        ...(isKnown ? [] : [refused(`${path}.type`, item.type, "must be a standard limit type or fully qualified")]),
        ...(limits.findIndex(({ type }) => type === item.type) === index ? [] : [duplicate(`${path}.type`, item.type)]),
        ...itemProblems(item, path),
      ];
    });
  },
};

function itemProblems(item: LimitRangeItem, path: string): Cause[] {
  const isPod = item.type === "Pod";
  const fields = AMOUNTS.filter((field) => !isPod || (field !== "default" && field !== "defaultRequest"));
  const ofContainers = isPod || item.type === "Container";
  const names = new Set(fields.flatMap((field) => Object.keys(item[field] ?? {})));
  const misplaced = (["default", "defaultRequest"] as const).filter((field) => isPod && Object.keys(item[field] ?? {}).length > 0);
  const isBoundless = item.type === "PersistentVolumeClaim" && item.min?.["storage"] === undefined && item.max?.["storage"] === undefined;
  return [
    ...fields.flatMap((field) =>
      Object.keys(item[field] ?? {}).flatMap((name) => limitResourceProblems(name, `${path}.${field}[${name}]`, { ofContainers })),
    ),
    ...misplaced.map((field) => forbid(`${path}.${field}`, "may not be specified when `type` is 'Pod'")),
    ...(isBoundless
      ? [
          {
            reason: "FieldValueRequired" as const,
            field: `${path}.limits`,
            message: "Required value: either minimum or maximum storage value is required, but neither was provided",
          },
        ]
      : []),
    ...[...names].flatMap((name) => orderProblems(item, name, path)),
  ];
}

/** What contradicts itself among the amounts of one resource. */
function orderProblems(item: LimitRangeItem, name: string, path: string): Cause[] {
  const [max, min, limit, request, ratio] = AMOUNTS.map((field) => {
    const text = item.type === "Pod" && (field === "default" || field === "defaultRequest") ? undefined : item[field]?.[name];
    return text === undefined ? undefined : parseQuantity(text);
  });
  const causes: Cause[] = [];
  const isMore = (a: Quantity | undefined, b: Quantity | undefined): boolean => a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
  const show = (amount: Quantity | undefined): string => (amount === undefined ? "" : formatQuantity(amount));
  const refuse = (field: string, amount: Quantity | undefined, why: string): void => {
    causes.push(refused(`${path}.${field}[${name}]`, show(amount), why));
  };
  if (isMore(min, max)) refuse("min", min, `min value ${show(min)} is greater than max value ${show(max)}`);
  if (isMore(min, request)) refuse("defaultRequest", request, `min value ${show(min)} is greater than default request value ${show(request)}`);
  if (isMore(request, max)) refuse("defaultRequest", request, `default request value ${show(request)} is greater than max value ${show(max)}`);
  if (isMore(request, limit))
    refuse("defaultRequest", request, `default request value ${show(request)} is greater than default limit value ${show(limit)}`);
  if (isMore(min, limit)) refuse("default", min, `min value ${show(min)} is greater than default value ${show(limit)}`);
  if (isMore(limit, max)) refuse("default", max, `default value ${show(limit)} is greater than max value ${show(max)}`);
  if (isMore(ONE, ratio)) refuse("maxLimitRequestRatio", ratio, `ratio ${show(ratio)} is less than 1`);
  if (ratio !== undefined && min !== undefined && max !== undefined && ratio.nanos * min.nanos > max.nanos * ONE.nanos) {
    refuse("maxLimitRequestRatio", ratio, `ratio ${show(ratio)} is greater than max/min = ${(Number(max.nanos) / Number(min.nanos)).toFixed(6)}`);
  }
  const isFixed = !isNativeResource(name) || name.startsWith("hugepages-");
  if (isFixed && limit !== undefined && request !== undefined && compareQuantities(limit, request) !== 0) {
    refuse("defaultRequest", request, `default value ${show(limit)} must equal to defaultRequest value ${show(request)} in ${name}`);
  }
  return causes;
}

const ONE = parseQuantity("1");

function duplicate(field: string, value: string): Cause {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` };
}
