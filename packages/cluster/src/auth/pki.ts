import { createPrivateKey, generateKeyPairSync, X509Certificate, type KeyObject } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@sluice/controller";
import { writeSecretFile } from "./secret-file.ts";
import { issueCertificate, type CertificateOptions, type CertificateSubject } from "./certificate.ts";

/** A certificate and its private key, both in PEM. */
interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** The keys by which a cluster is known and knows its users. */
export interface Pki {
  /** The root of all trust in this cluster, in PEM. */
  readonly authority: string;
  readonly server: KeyPair;
  /** Of a member of system:masters. */
  readonly admin: KeyPair;
  /** Signs the tokens of service accounts. */
  readonly accountKey: KeyObject;
}

/** Where the keys are kept and what the server is called. */
export interface PkiOptions {
  readonly directory: string;
  /** The DNS names and IP addresses that clients may call the server by. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly newId: () => string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
const RENEW_DAYS = 60;
const ADMIN: CertificateSubject = { commonName: "kubernetes-admin", organizations: ["system:masters"] };

/** Reads the keys in a directory; makes those that are missing, about to expire, or not fit for `names`. */
export async function openPki({ directory, names, clock, newId }: PkiOptions): Promise<Pki> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const now = clock.now();
  const renew = async (
    name: string,
    isFit: (certificate: X509Certificate) => boolean,
    make: (keys: ReturnType<typeof newKeys>) => string,
  ): Promise<KeyPair> => {
    const known = await readPair(directory, name);
    if (known !== undefined && isFit(new X509Certificate(known.certificate))) return known;
    const keys = newKeys();
    const pair = { certificate: make(keys), key: pemOf(keys.privateKey) };
    await writePair(directory, name, pair);
    return pair;
  };

  const lasts = (certificate: X509Certificate): boolean => certificate.validToDate.getTime() - now > RENEW_DAYS * DAY_MS;
  const days = (count: number): Pick<CertificateOptions, "serial" | "notBefore" | "notAfter"> => ({
    serial: newId(),
    notBefore: now - DAY_MS, // For machines whose clock is behind.
    notAfter: now + count * DAY_MS,
  });
  const authority = await renew("ca", lasts, ({ publicKey, privateKey }) => {
    // A new root under an old name would make clients that know the old one say that a signature is wrong.
    const subject = { commonName: `sluice-ca@${Math.floor(now / 1000)}` };
    return issueCertificate({ subject, publicKey, issuer: { subject, key: privateKey }, use: "authority", ...days(AUTHORITY_DAYS) });
  });
  const root = new X509Certificate(authority.certificate);
  const issuer = { subject: { commonName: commonNameOf(root) }, key: createPrivateKey(authority.key) };
  const isOurs = (certificate: X509Certificate): boolean => lasts(certificate) && certificate.verify(root.publicKey);
  const isNamed = (certificate: X509Certificate): boolean =>
    names.every((name) => (certificate.checkHost(name) ?? certificate.checkIP(name)) !== undefined);

  const server = await renew(
    "apiserver",
    (certificate) => isOurs(certificate) && isNamed(certificate),
    ({ publicKey }) => issueCertificate({ subject: { commonName: "kube-apiserver" }, publicKey, issuer, use: "server", names, ...days(LEAF_DAYS) }),
  );
  const admin = await renew("admin", isOurs, ({ publicKey }) =>
    issueCertificate({ subject: ADMIN, publicKey, issuer, use: "client", ...days(LEAF_DAYS) }),
  );
  return { authority: authority.certificate, server, admin, accountKey: await accountKey(directory) };
}

async function accountKey(directory: string): Promise<KeyObject> {
  const path = join(directory, "service-account.key");
  const known = await readIfThere(path);
  if (known !== undefined) return createPrivateKey(known);
  const { privateKey } = newKeys();
  await writeSecretFile(path, pemOf(privateKey));
  return privateKey;
}

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function pemOf(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

function commonNameOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/mu.exec(subject)?.[1] ?? "";
}

async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  const [certificate, key] = await Promise.all([readIfThere(join(directory, `${name}.crt`)), readIfThere(join(directory, `${name}.key`))]);
  if (certificate === undefined || key === undefined) return undefined;
  // A crash between the two files leaves a pair that does not belong together.
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)) ? { certificate, key } : undefined;
}

async function writePair(directory: string, name: string, { certificate, key }: KeyPair): Promise<void> {
  await writeSecretFile(join(directory, `${name}.key`), key);
  await writeSecretFile(join(directory, `${name}.crt`), certificate);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
