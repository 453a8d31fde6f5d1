import type { SecureContextOptions } from "node:tls";
import type { ClusterAccess } from "./cluster-access.ts";

/** How a cluster's server is verified, and who its client is, as Node's TLS has it. */
export function tlsOf(access: ClusterAccess): SecureContextOptions & { readonly rejectUnauthorized: boolean; readonly servername?: string } {
  const { certificateAuthority, clientCertificate, clientKey, serverName, skipVerification = false } = access;
  return {
    rejectUnauthorized: !skipVerification,
    ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate }),
    ...(clientKey === undefined ? {} : { key: clientKey }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
