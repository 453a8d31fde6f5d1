import { checkRules } from "@sluice/cel";
import { jsonEqual, storageVersionOf, validateCrd, type Cause, type CustomResourceDefinition, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy, StrategyContext } from "../strategy.ts";

type Crd = UnknownObject & CustomResourceDefinition;

/** Definitions of custom kinds: whether their names are free, and which versions have ever been stored. */
export const customResourceDefinitionStrategy: Strategy = {
  hasGeneration: true,
  prepareCreate: (object, context) => withStatus(withNames(object as Crd), context),
  prepareUpdate: (next, _current, context) => withStatus(withNames(next as Crd), context),
  validate: (next, current) => {
    const crd = next as Crd;
    const before = current as Crd | undefined;
    const causes: Cause[] = validateCrd(crd);
    // Rules are judged by types, which only a sound schema has.
    if (causes.length === 0) causes.push(...ruleCauses(crd, before));
    const immutable = (field: string, value: unknown): void => {
      causes.push({ reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: field is immutable` });
    };
    if (before === undefined) return causes;
    if (crd.spec.scope !== before.spec.scope) immutable("spec.scope", crd.spec.scope);
    if (crd.spec.names.kind !== before.spec.names.kind) immutable("spec.names.kind", crd.spec.names.kind);
    return causes;
  },
};

/** What is wrong with the rules of the versions that are new or have changed: others have been accepted before. */
function ruleCauses(crd: Crd, before: Crd | undefined): Cause[] {
  return crd.spec.versions.flatMap(({ name, schema }, i) => {
    const rules = schema?.openAPIV3Schema;
    const accepted = before?.spec.versions.find((version) => version.name === name)?.schema?.openAPIV3Schema;
    return rules === undefined || jsonEqual(rules, accepted) ? [] : checkRules(rules, `spec.versions[${i}].schema.openAPIV3Schema`);
  });
}

function withNames(crd: Crd): Crd {
  const { names } = crd.spec;
  const completed = { ...names, singular: names.singular ?? names.kind.toLowerCase(), listKind: names.listKind ?? `${names.kind}List` };
  return { ...crd, spec: { ...crd.spec, names: completed, conversion: crd.spec.conversion ?? { strategy: "None" } } };
}

/** The status as Kubernetes' naming controller would write it, known at once because one process knows all names. */
function withStatus(crd: Crd, context: StrategyContext): Crd {
  const taken = takenNames(crd, context);
  const stored = crd.status?.storedVersions ?? [];
  const storage = storageVersionOf(crd);
  const before = crd.status?.conditions ?? [];
  const condition = (type: string, isTrue: boolean, reason: string, message: string): NonNullable<typeof before>[number] => {
    const old = before.find((one) => one.type === type);
    const status = isTrue ? "True" : "False";
    return { type, status, reason, message, lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? context.now) : context.now };
  };
  const wasEstablished = before.some(({ type, status }) => type === "Established" && status === "True");
  const isAccepted = taken === undefined;
  const conditions = [
    isAccepted
      ? condition("NamesAccepted", true, "NoConflicts", "no conflicts found")
      : condition("NamesAccepted", false, taken.reason, `${JSON.stringify(taken.name)} is already in use`),
    isAccepted || wasEstablished
      ? condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted")
      : condition("Established", false, "NotAccepted", "not all names are accepted"),
    ...before.filter(({ type }) => type !== "NamesAccepted" && type !== "Established"),
  ];
  const storedVersions = storage === undefined || stored.includes(storage) ? stored : [...stored, storage];
  return {
    ...crd,
    status: {
      ...crd.status,
      conditions,
      acceptedNames: isAccepted ? crd.spec.names : (crd.status?.acceptedNames ?? { plural: "", kind: "" }),
      storedVersions,
    },
  };
}

function takenNames(crd: Crd, context: StrategyContext): { readonly name: string; readonly reason: string } | undefined {
  const { kind, plural, singular, listKind, shortNames = [] } = crd.spec.names;
  for (const other of context.list("customresourcedefinitions.apiextensions.k8s.io") as Crd[]) {
    const accepted = other.status?.acceptedNames;
    if (other.metadata.name === crd.metadata.name || other.spec.group !== crd.spec.group || accepted === undefined) continue;
    const resources = [accepted.plural, accepted.singular, ...(accepted.shortNames ?? [])];
    const kinds = [accepted.kind, accepted.listKind];
    if (resources.includes(plural)) return { name: plural, reason: "PluralConflict" };
    if (singular !== undefined && resources.includes(singular)) return { name: singular, reason: "SingularConflict" };
    for (const shortName of shortNames) if (resources.includes(shortName)) return { name: shortName, reason: "ShortNamesConflict" };
    if (kinds.includes(kind)) return { name: kind, reason: "KindConflict" };
    if (listKind !== undefined && kinds.includes(listKind)) return { name: listKind, reason: "ListKindConflict" };
  }
  return undefined;
}
