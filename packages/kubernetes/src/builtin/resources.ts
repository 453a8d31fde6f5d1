import type { Resource } from "../resource.ts";
import * as admissionregistration from "./kinds/admissionregistration.ts";
import * as apiextensions from "./kinds/apiextensions.ts";
import * as apiregistration from "./kinds/apiregistration.ts";
import * as apps from "./kinds/apps.ts";
import * as authentication from "./kinds/authentication.ts";
import * as authorization from "./kinds/authorization.ts";
import * as autoscalingV1 from "./kinds/autoscaling-v1.ts";
import * as autoscalingV2 from "./kinds/autoscaling-v2.ts";
import * as batch from "./kinds/batch.ts";
import * as certificates from "./kinds/certificates.ts";
import * as coordination from "./kinds/coordination.ts";
import * as core from "./kinds/core.ts";
import * as discovery from "./kinds/discovery.ts";
import * as events from "./kinds/events.ts";
import * as flowcontrol from "./kinds/flowcontrol.ts";
import * as networking from "./kinds/networking.ts";
import * as node from "./kinds/node.ts";
import * as policy from "./kinds/policy.ts";
import * as rbac from "./kinds/rbac.ts";
import * as scheduling from "./kinds/scheduling.ts";
import * as storage from "./kinds/storage.ts";

/**
 * Kubernetes' own stored kinds, by group. Two pairs are one storage under two names: core and events.k8s.io Events, and
 * HorizontalPodAutoscaler v2 and v1.
 */
export const builtinResources: readonly Resource[] = [
  core,
  apps,
  batch,
  rbac,
  coordination,
  events,
  discovery,
  networking,
  policy,
  autoscalingV2,
  autoscalingV1,
  scheduling,
  storage,
  node,
  certificates,
  flowcontrol,
  admissionregistration,
  apiextensions,
  apiregistration,
].flatMap((group): Resource[] => Object.values(group));

/** The kinds that can only be created, and whose answer is what they exist for: reviews of tokens and of access. */
export const builtinReviews: readonly Resource[] = [authentication, authorization].flatMap((group): Resource[] => Object.values(group));
