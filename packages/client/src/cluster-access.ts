/** How to reach a cluster, and as whom. Certificates and keys are in PEM. */
export interface ClusterAccess {
  /** `https://host:port`, perhaps with a path that everything is below. */
  readonly server: string;
  /** Who vouches for the server; the machine's own list of authorities if absent. */
  readonly certificateAuthority?: string;
  /** The name that the server's certificate must have, if it is not that of its address. */
  readonly serverName?: string;
  /** Whether the server may be anybody. */
  readonly skipVerification?: boolean;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  /** The bearer token as it is now: files that hold one are replaced before it expires. */
  readonly token?: () => Promise<string>;
  /** What namespace is meant where none is named. */
  readonly namespace: string;
}
