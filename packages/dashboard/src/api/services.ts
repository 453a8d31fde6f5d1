import { createContext, use } from "react";
import type { PipelinesClient } from "@sluice/sdk";
import type { Notices } from "../app/notices.tsx";
import type { Connection } from "./connection.ts";

/** What the pages work with; `main.tsx` builds it. */
export interface Services {
  readonly pipelines: PipelinesClient;
  readonly connection: Connection;
  readonly notices: Notices;
}

/** Where the pages find their services. */
export const ServicesContext: React.Context<Services | undefined> = createContext<Services | undefined>(undefined);

/** The services of the page. */
export function useServices(): Services {
  const services = use(ServicesContext);
  if (services === undefined) throw new Error("no services: the page is drawn outside of its providers");
  return services;
}
