import type { ApiResponse, UserInfo } from "@sluice/client";
import {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  type PolicyRule,
  type SubjectAccessReviewSpec,
  type SubjectAccessReviewStatus,
  type SubjectRulesReviewStatus,
  type UnknownObject,
} from "@sluice/kubernetes";
import { badRequest } from "../api-server/api-errors.ts";
import type { RequestAttributes } from "../api-server/api-server-options.ts";
import type { VirtualResource } from "../api-server/registry.ts";
import type { RbacAuthorizer } from "./rbac-authorizer.ts";
import { readReview, refusedReview } from "./read-review.ts";

/** The kinds of authorization.k8s.io: what may somebody, or the one who asks, do? */
export function accessReviews(authorizer: RbacAuthorizer): VirtualResource[] {
  const judge = (user: UserInfo, attributes: RequestAttributes): SubjectAccessReviewStatus => {
    const { allowed, reason } = authorizer.authorize(user, attributes);
    return { allowed, ...(reason === "" ? {} : { reason }) };
  };
  return [
    {
      ...collectionOf(SelfSubjectAccessReview),
      answer: async (request, user) => {
        const review = readReview(request, SelfSubjectAccessReview);
        return answered(review, judge(user, attributesOf(review.spec, SelfSubjectAccessReview)));
      },
    },
    {
      ...collectionOf(SubjectAccessReview),
      answer: async (request) => {
        const review = readReview(request, SubjectAccessReview);
        return answered(review, judge(subjectOf(review.spec, SubjectAccessReview), attributesOf(review.spec, SubjectAccessReview)));
      },
    },
    {
      ...collectionOf(LocalSubjectAccessReview),
      answer: async (request, _, { namespace = "" }) => {
        const review = readReview(request, LocalSubjectAccessReview);
        const { resourceAttributes } = review.spec;
        if (resourceAttributes?.namespace !== namespace) {
          const message = `Invalid value: ${JSON.stringify(resourceAttributes?.namespace ?? "")}: must match metadata.namespace`;
          throw refusedReview(LocalSubjectAccessReview, [{ reason: "FieldValueInvalid", field: "spec.resourceAttributes.namespace", message }]);
        }
        return answered(review, judge(subjectOf(review.spec, LocalSubjectAccessReview), attributesOf(review.spec, LocalSubjectAccessReview)));
      },
    },
    {
      ...collectionOf(SelfSubjectRulesReview),
      answer: async (request, user) => {
        const review = readReview(request, SelfSubjectRulesReview);
        const { namespace = "" } = review.spec;
        if (namespace === "") throw badRequest("no namespace on request");
        return answered(review, summarized([...authorizer.rulesOf(user, namespace)].flatMap(({ rules }) => rules)));
      },
    },
  ];
}

/** The place of a review's kind among the virtual resources. */
export function collectionOf({
  group,
  version,
  plural,
}: {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}): Pick<VirtualResource, "group" | "version" | "plural" | "method"> {
  return { group, version, plural, method: "POST" };
}

/** A review with its answer. */
export function answered(review: UnknownObject, status: object): ApiResponse {
  return { kind: "object", status: 201, object: { ...review, status } };
}

function attributesOf(
  { resourceAttributes: wanted, nonResourceAttributes: path }: Pick<SubjectAccessReviewSpec, "resourceAttributes" | "nonResourceAttributes">,
  kind: { kind: string; group: string },
): RequestAttributes {
  if ((wanted === undefined) === (path === undefined)) {
    const message = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
    throw refusedReview(kind, [{ reason: "FieldValueInvalid", field: "spec.resourceAttributes", message }]);
  }
  if (wanted === undefined) return { kind: "path", verb: path?.verb ?? "", path: path?.path ?? "" };
  const { verb = "", group = "", version = "", resource = "", subresource, namespace, name } = wanted;
  return { kind: "resource", verb, group, version, resource, subresource: given(subresource), namespace: given(namespace), name: given(name) };
}

function subjectOf({ user = "", groups = [], uid, extra }: SubjectAccessReviewSpec, kind: { kind: string; group: string }): UserInfo {
  if (user === "" && groups.length === 0) {
    throw refusedReview(kind, [
      { reason: "FieldValueRequired", field: "spec.user", message: "Required value: at least one of user or group must be specified" },
    ]);
  }
  return { username: user, groups, ...(uid === undefined ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}

function summarized(rules: readonly PolicyRule[]): SubjectRulesReviewStatus {
  const isPath = ({ nonResourceURLs = [] }: PolicyRule): boolean => nonResourceURLs.length > 0;
  return {
    resourceRules: rules.filter((rule) => !isPath(rule)),
    nonResourceRules: rules.filter(isPath).map(({ verbs, nonResourceURLs = [] }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  };
}

function given(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
