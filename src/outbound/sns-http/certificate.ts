import { Buffer } from "node:buffer";
import { type KeyObject, randomBytes, sign } from "node:crypto";

const tags = { boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, null: 0x05, oid: 0x06 };
const [utf8String, utcTime, generalizedTime, sequenceTag, setTag] = [0x0c, 0x17, 0x18, 0x30, 0x31];
/** What ASN.1 calls context-specific: the version, and the extensions. */
const [versionTag, extensionsTag] = [0xa0, 0xa3];

/** sha256WithRSAEncryption, 1.2.840.113549.1.1.11. */
const algorithm = sequence(der(tags.oid, Buffer.from("2a864886f70d01010b", "hex")), der(tags.null));
/** 2.5.4.3, 2.5.29.19, 2.5.29.15. */
const [commonNameId, basicConstraintsId, keyUsageId] = ["550403", "551d13", "551d0f"];

/**
 * A certificate by RFC 5280 that an RSA key signs for itself, as PEM: it says nothing but which key it is. Written here, for the library that
 * `todoku tls dev` uses wants a polyfill of globals, and a tenth of a second of the thread that serves everybody.
 */
export function selfSigned(
  { publicKey, privateKey }: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  { commonName, notBeforeMs, notAfterMs }: { commonName: string; notBeforeMs: number; notAfterMs: number },
): string {
  const name = sequence(
    der(setTag, sequence(der(tags.oid, Buffer.from(commonNameId, "hex")), der(utf8String, Buffer.from(commonName)))),
  );
  const serial = randomBytes(16);
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40; // positive, and of one length
  const certificate = sequence(
    der(versionTag, der(tags.integer, Buffer.from([2]))),
    der(tags.integer, serial),
    algorithm,
    name,
    sequence(time(notBeforeMs), time(notAfterMs)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(
      extensionsTag,
      sequence(
        criticalExtension(basicConstraintsId, sequence()), // no CA
        criticalExtension(keyUsageId, der(tags.bitString, Buffer.from([7, 0x80]))), // signatures
      ),
    ),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("RSA-SHA256", certificate, privateKey)]);
  return pem(sequence(certificate, algorithm, der(tags.bitString, signature)));
}

function criticalExtension(id: string, value: Buffer): Buffer {
  const critical = der(tags.boolean, Buffer.from([0xff]));
  return sequence(der(tags.oid, Buffer.from(id, "hex")), critical, der(tags.octetString, value));
}

/** RFC 5280 4.1.2.5: two digits of the year until 2049. */
function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "")}`;
  return digits < "2050" ? der(utcTime, Buffer.from(digits.slice(2))) : der(generalizedTime, Buffer.from(digits));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(sequenceTag, Buffer.concat(parts));
}

function der(tag: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content]);
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
