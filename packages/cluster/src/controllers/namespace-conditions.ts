import type { NamespaceCondition } from "@sluice/kubernetes";

/** How many objects are left, by `plural.group`, and how many of them each finalizer holds. */
export interface NamespaceContent {
  readonly kinds: ReadonlyMap<string, number>;
  readonly finalizers: ReadonlyMap<string, number>;
}

/** What Kubernetes says of a namespace that is being emptied, in its wording. */
export function namespaceConditions({
  failures,
  content,
}: {
  readonly failures: readonly string[];
  readonly content: NamespaceContent;
}): NamespaceCondition[] {
  const kinds = [...content.kinds].toSorted(byName).map(([kind, count]) => `${kind} has ${count} resource instances`);
  const finalizers = [...content.finalizers].toSorted(byName).map(([finalizer, count]) => `${finalizer} in ${count} resource instances`);
  return [
    condition("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered"),
    condition("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    failures.length > 0
      ? condition(
          "NamespaceDeletionContentFailure",
          true,
          "ContentDeletionFailed",
          `Failed to delete all resource types, ${failures.length} remaining: ${failures.toSorted().join(", ")}`,
        )
      : condition("NamespaceDeletionContentFailure", false, "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    kinds.length > 0
      ? condition("NamespaceContentRemaining", true, "SomeResourcesRemain", `Some resources are remaining: ${kinds.join(", ")}`)
      : condition("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed"),
    finalizers.length > 0
      ? condition(
          "NamespaceFinalizersRemaining",
          true,
          "SomeFinalizersRemain",
          `Some content in the namespace has finalizers remaining: ${finalizers.join(", ")}`,
        )
      : condition("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
  ];
}

function condition(type: string, isTrue: boolean, reason: string, message: string): NamespaceCondition {
  return { type, status: isTrue ? "True" : "False", reason, message };
}

function byName([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1;
}
