import "reflect-metadata"; // before the library, which fails without it when it is loaded
import type { Buffer } from "node:buffer";
import { type X509Certificate as Certificate, type KeyObject, randomBytes } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_nameConstraints,
  NameConstraints,
} from "@peculiar/asn1-x509";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** Whom a certificate is for: names of DNS (with `*.` in front: everything one label below) and addresses. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** P-256; the public half goes into the certificate. */
  readonly publicKey: KeyObject;
  /** P-256; the private half that signs: the issuer's, or without an issuer its own. */
  readonly issuerKey: KeyObject;
  readonly issuer?: Certificate;
  /** A CA that may sign for nothing else than these, and what is below the names; or a server that has these names. */
  readonly kind: { readonly ca: readonly string[] } | { readonly server: readonly string[] };
}

const p256 = { name: "ECDSA", namedCurve: "P-256" };

/**
 * A certificate by RFC 5280, as PEM, with the few extensions that a private CA and its servers need.
 * @throws DOMException `issuerKey` is no private key of P-256.
 */
export async function makeCertificate(request: CertificateRequest): Promise<string> {
  const { commonName, notBeforeMs, notAfterMs, issuerKey, kind } = request;
  const publicKey = request.publicKey.export({ type: "spki", format: "der" });
  const pkcs8 = issuerKey.export({ type: "pkcs8", format: "der" });
  const issuer = request.issuer && new X509Certificate(request.issuer.raw);
  const subject = new Name([{ CN: [{ utf8String: commonName }] }]);
  const keyId = await SubjectKeyIdentifierExtension.create(publicKey);
  // Copied where there is one: a CA may have made its own by another rule, and clients compare the two.
  const issuerKeyId =
    issuer?.getExtension(SubjectKeyIdentifierExtension) ??
    (await SubjectKeyIdentifierExtension.create(issuer ?? publicKey));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40; // positive, and of one length
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial.toString("hex"),
    subject,
    issuer: issuer?.subjectName ?? subject,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    publicKey,
    signingKey: await crypto.subtle.importKey("pkcs8", pkcs8, p256, false, ["sign"]),
    signingAlgorithm: { ...p256, hash: "SHA-256" },
    extensions: [
      keyId,
      new AuthorityKeyIdentifierExtension(issuerKeyId.keyId),
      ...("ca" in kind ? ofCa(kind.ca) : ofServer(kind.server)),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

/** May this CA, of {@link makeCertificate}, sign for `host`? `raw` is the CA's certificate in DER. */
export function maySignFor(raw: Buffer<ArrayBuffer>, host: string): boolean {
  const extension = new X509Certificate(raw).getExtension(id_ce_nameConstraints);
  if (!extension) return false;
  const permitted = AsnConvert.parse(extension.value, NameConstraints).permittedSubtrees ?? [];
  const { iPAddress, dNSName } = subtree(host.replace(/^\*\./, "")).base;
  return permitted.some(({ base }) =>
    iPAddress === undefined
      ? base.dNSName !== undefined && `.${dNSName}`.endsWith(`.${base.dNSName}`)
      : base.iPAddress === iPAddress,
  );
}

function ofCa(hosts: readonly string[]): Extension[] {
  const constraints = new NameConstraints({ permittedSubtrees: new GeneralSubtrees(hosts.map(subtree)) });
  return [
    new BasicConstraintsExtension(true, 0, true), // a CA, of servers only
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    new Extension(id_ce_nameConstraints, true, AsnConvert.serialize(constraints)),
  ];
}

function ofServer(hosts: readonly string[]): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(hosts.map(alternativeName)),
  ];
}

function alternativeName(host: string): JsonGeneralName {
  return isAddress(host) ? { type: "ip", value: shortest(host) } : { type: "dns", value: host };
}

/** What a name constraint allows: for an address, with a mask of all bits, that address alone. */
function subtree(host: string): GeneralSubtree {
  const base = isAddress(host) ? { iPAddress: `${shortest(host)}/${isIPv4(host) ? 32 : 128}` } : { dNSName: host };
  return new GeneralSubtree({ base: new GeneralName(base) });
}

function isAddress(host: string): boolean {
  return isIPv4(host) || isIPv6(host);
}

/** The library takes an IPv4 address embedded in an IPv6 one for other bytes; the URL parser writes it in hex. */
function shortest(address: string): string {
  return isIPv4(address) ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);
}
