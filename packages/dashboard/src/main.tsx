import "@mantine/core/styles.css";
import "./app/theme.css";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createPipelinesClient } from "@sluice/sdk";
import { createConnection } from "./api/connection.ts";
import { createQueryClient } from "./api/query-client.ts";
import { ServicesContext, type Services } from "./api/services.ts";
import { createNotices, NoticeList } from "./app/notices.tsx";
import { createPages } from "./app/router.tsx";
import { theme } from "./app/theme.ts";

const notices = createNotices();
const connection = createConnection(async () => (await fetch("/healthz", { cache: "no-store" })).ok);
const queryClient = createQueryClient({ connection, notices });
const services: Services = { pipelines: createPipelinesClient({ host: "" }), connection, notices };
const router = createPages();

const element = document.getElementById("root");
if (element === null) throw new Error("the page has no #root");
createRoot(element).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <ServicesContext value={services}>
          <RouterProvider router={router} />
          <NoticeList notices={notices} />
        </ServicesContext>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
