import type { Service } from "@sluice/kubernetes";
import { expect, test } from "vitest";
import { serviceVariables } from "./service-variables.ts";

const service = (name: string, spec: Service["spec"]): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec,
});

test("variables of services, as Kubernetes and links of containers have them", () => {
  const services = [
    service("redis-primary", {
      clusterIP: "10.0.0.11",
      ports: [
        { port: 6379, name: "redis" },
        { port: 53, protocol: "UDP", name: "dns-query" },
      ],
    }),
    service("plain", { clusterIP: "10.0.0.12", ports: [{ port: 80 }] }),
    service("headless", { clusterIP: "None", ports: [{ port: 80 }] }),
    service("elsewhere", { type: "ExternalName", externalName: "example.com" }),
    service("kubernetes", { clusterIP: "10.96.0.1", ports: [{ port: 443, name: "https" }] }),
  ];
  const variables = serviceVariables({ services, addressOf: (address) => address.replace("10.", "127."), api: { host: "10.9.0.1", port: 6443 } });
  expect(Object.fromEntries(variables)).toEqual({
    REDIS_PRIMARY_SERVICE_HOST: "127.0.0.11",
    REDIS_PRIMARY_SERVICE_PORT: "6379",
    REDIS_PRIMARY_SERVICE_PORT_REDIS: "6379",
    REDIS_PRIMARY_SERVICE_PORT_DNS_QUERY: "53",
    REDIS_PRIMARY_PORT: "tcp://127.0.0.11:6379",
    REDIS_PRIMARY_PORT_6379_TCP: "tcp://127.0.0.11:6379",
    REDIS_PRIMARY_PORT_6379_TCP_PROTO: "tcp",
    REDIS_PRIMARY_PORT_6379_TCP_PORT: "6379",
    REDIS_PRIMARY_PORT_6379_TCP_ADDR: "127.0.0.11",
    REDIS_PRIMARY_PORT_53_UDP: "udp://127.0.0.11:53",
    REDIS_PRIMARY_PORT_53_UDP_PROTO: "udp",
    REDIS_PRIMARY_PORT_53_UDP_PORT: "53",
    REDIS_PRIMARY_PORT_53_UDP_ADDR: "127.0.0.11",
    PLAIN_SERVICE_HOST: "127.0.0.12",
    PLAIN_SERVICE_PORT: "80",
    PLAIN_PORT: "tcp://127.0.0.12:80",
    PLAIN_PORT_80_TCP: "tcp://127.0.0.12:80",
    PLAIN_PORT_80_TCP_PROTO: "tcp",
    PLAIN_PORT_80_TCP_PORT: "80",
    PLAIN_PORT_80_TCP_ADDR: "127.0.0.12",
    KUBERNETES_SERVICE_HOST: "10.9.0.1",
    KUBERNETES_SERVICE_PORT: "6443",
    KUBERNETES_SERVICE_PORT_HTTPS: "6443",
    KUBERNETES_PORT: "tcp://127.96.0.1:443",
    KUBERNETES_PORT_443_TCP: "tcp://127.96.0.1:443",
    KUBERNETES_PORT_443_TCP_PROTO: "tcp",
    KUBERNETES_PORT_443_TCP_PORT: "443",
    KUBERNETES_PORT_443_TCP_ADDR: "127.96.0.1",
  });
});
