import { createHash, createPublicKey, sign, type KeyObject } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { bitString, contextual, integer, objectIdentifier, octetString, sequence, setOf, time, toPem, TRUE, utf8String, type Der } from "./der.ts";

/** Whom a certificate names: to Kubernetes a user and the groups that the user is in. */
export interface CertificateSubject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

/** What a certificate says. */
export interface CertificateOptions {
  readonly subject: CertificateSubject;
  readonly publicKey: KeyObject;
  /** Who vouches for it; the subject itself for a root. */
  readonly issuer: { readonly subject: CertificateSubject; readonly key: KeyObject };
  /** A UUID: unique for the issuer. */
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly use: "authority" | "server" | "client";
  /** The DNS names and IP addresses that a server goes by. */
  readonly names?: readonly string[];
}

const ECDSA_WITH_SHA256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));
const [COMMON_NAME, ORGANIZATION] = ["2.5.4.3", "2.5.4.10"];
const EXTENSION = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;
const PURPOSE = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

/** Issues an X.509 version 3 certificate (RFC 5280) over an elliptic-curve key, in PEM. */
export function issueCertificate(options: CertificateOptions): string {
  const { subject, issuer, publicKey, serial } = options;
  const content = sequence(
    contextual(0, integer(Buffer.from([2])), "constructed"),
    integer(serialBytes(serial)),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer.subject),
    sequence(time(options.notBefore), time(options.notAfter)),
    distinguishedName(subject),
    publicKey.export({ format: "der", type: "spki" }),
    contextual(3, sequence(...extensionsOf(options)), "constructed"),
  );
  return toPem("CERTIFICATE", sequence(content, ECDSA_WITH_SHA256, bitString(sign("sha256", content, issuer.key))));
}

function extensionsOf({ publicKey, issuer, use, names = [] }: CertificateOptions): Der[] {
  const issuerKey = keyIdentifier(createPublicKey(issuer.key));
  const usage = use === "authority" ? bitString(Buffer.from([0b0000_0110]), 1) : bitString(Buffer.from([0b1000_0000]), 7);
  return [
    extension("keyUsage", usage, "critical"),
    extension("basicConstraints", use === "authority" ? sequence(TRUE) : sequence(), "critical"),
    ...(use === "authority" ? [] : [extension("extendedKeyUsage", sequence(objectIdentifier(PURPOSE[use])))]),
    extension("subjectKeyIdentifier", octetString(keyIdentifier(publicKey))),
    extension("authorityKeyIdentifier", sequence(contextual(0, issuerKey, "primitive"))),
    ...(names.length === 0 ? [] : [extension("subjectAltName", sequence(...names.map(alternativeName)))]),
  ];
}

function extension(name: keyof typeof EXTENSION, value: Der, critical?: "critical"): Der {
  return sequence(objectIdentifier(EXTENSION[name]), ...(critical === undefined ? [] : [TRUE]), octetString(value));
}

function distinguishedName({ commonName, organizations = [] }: CertificateSubject): Der {
  const attribute = (type: string, value: string): Der => setOf(sequence(objectIdentifier(type), utf8String(value)));
  return sequence(...organizations.map((name) => attribute(ORGANIZATION, name)), attribute(COMMON_NAME, commonName));
}

function alternativeName(name: string): Der {
  return isIPv4(name) || isIPv6(name) ? contextual(7, addressBytes(name), "primitive") : contextual(2, Buffer.from(name), "primitive");
}

function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text: string): number[] => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash("sha1")
    .update(key.export({ format: "der", type: "spki" }))
    .digest();
}

/** Serial numbers are positive, and of at most 20 bytes. */
function serialBytes(uuid: string): Uint8Array {
  return Buffer.concat([Buffer.from([1]), Buffer.from(uuid.replaceAll("-", ""), "hex")]);
}
