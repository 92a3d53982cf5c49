import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { expect, it } from "vitest";
import { makeCertificate, maySignFor } from "./x509.ts";

const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
const make = async (kind: Parameters<typeof makeCertificate>[0]["kind"], notAfterMs = 4_000_000_000_000) =>
  new X509Certificate(
    await makeCertificate({
      commonName: "A name 届く",
      notBeforeMs: 1_000_000_000_000,
      notAfterMs,
      publicKey: keys.publicKey,
      issuerKey: keys.privateKey,
      kind,
    }),
  );

it("makes certificates that OpenSSL reads as they were meant", async () => {
  const names = ["a.test", "*.b.test", "10.1.2.3", "2001:db8::1:2", "::ffff:10.0.0.1", "::"];
  const certificate = await make({ server: names });
  expect(certificate.verify(keys.publicKey)).toBe(true);
  expect(certificate.subject).toBe("CN=A name 届く");
  expect(certificate.ca).toBe(false);
  expect([Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]).toEqual([
    1_000_000_000_000, 4_000_000_000_000,
  ]);
  for (const name of ["a.test", "c.b.test"]) expect(certificate.checkHost(name), name).toBeDefined();
  for (const address of ["10.1.2.3", "2001:db8::1:2", "::ffff:10.0.0.1", "::"])
    expect(certificate.checkIP(address), address).toBeDefined();
  expect((await make({ ca: ["a.test"] })).ca).toBe(true);
});

it("gives each certificate a serial number of its own, positive and of one length", async () => {
  const made = await Promise.all(Array.from({ length: 50 }, () => make({ server: ["a.test"] })));
  const serials = made.map(({ serialNumber }) => serialNumber);
  expect(new Set(serials).size).toBe(50);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

it("knows for whom a CA may sign: names, what is below them, and addresses", async () => {
  const { raw } = await make({ ca: ["a.test", "10.1.2.3", "2001:db8::1", "::ffff:a00:1"] });
  for (const host of [
    "a.test",
    "b.a.test",
    "*.c.a.test",
    "10.1.2.3",
    "2001:db8::1",
    "2001:db8:0::0:1",
    "::ffff:10.0.0.1",
  ])
    expect(maySignFor(raw, host), host).toBe(true);
  for (const host of ["test", "ba.test", "a.test.x", "1.2.3", "10.1.2.4", "2001:db8::2", "::ffff:a00:2"])
    expect(maySignFor(raw, host), host).toBe(false);
  expect(maySignFor((await make({ server: ["a.test"] })).raw, "a.test")).toBe(false);
});

it("writes times in whole seconds: before 2050 with two digits of the year, from then on with four", async () => {
  const endOf = async (ms: number) => (await make({ server: ["a.test"] }, ms)).raw.toString("latin1");
  expect(await endOf(Date.UTC(2049, 11, 31, 23, 59, 59, 999))).toContain("\x17\x0d491231235959Z");
  expect(await endOf(Date.UTC(2050, 0, 1, 0, 0, 0, 999))).toContain("\x18\x0f20500101000000Z");
});

/** A CA for a.test until 2096 whose key identifier is the start of a SHA-256, which the library does not make (RFC 7093, 4). */
const foreignCa = new X509Certificate(`-----BEGIN CERTIFICATE-----
MIIBzDCCAXKgAwIBAgIQTDrp2S72MPB1/tsYfaPvBjAKBggqhkjOPQQDAjANMQsw
CQYDVQQDDAJDQTAgFw0yMzExMTQyMjEzMjBaGA8yMDk2MTAwMjA3MDY0MFowDTEL
MAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASxJKfQL+t6MpTF
JyffJTNq7JcijmGxKnogEEiJHRNHVtjp431Upc+frqfhKDD9mWdMZ4SdP9GeH3Xr
V2zfUhqqo4GxMIGuMB0GA1UdDgQWBBQXaDw8q8u1l2rKWvVidS96cboJeTAfBgNV
HSMEGDAWgBQXaDw8q8u1l2rKWvVidS96cboJeTASBgNVHRMBAf8ECDAGAQH/AgEA
MA4GA1UdDwEB/wQEAwIBBjBIBgNVHR4BAf8EPjA8oDowCIIGYS50ZXN0MAqHCAoB
AgP/////MCKHICABDbgAAAAAAAAAAAAAAAH/////////////////////MAoGCCqG
SM49BAMCA0gAMEUCIDGUxu/DagiBPJ3MvNBkhtmNJZR7zb+We7b+xOKZ/foyAiEA
uWCeR/rH/SQHtm64SubAdHknoxnSeJTBOzcyD8/a0J4=
-----END CERTIFICATE-----`);

it("signs under a CA whose key identifier was made by another rule", async () => {
  const certificate = new X509Certificate(
    await makeCertificate({
      commonName: "a.test",
      notBeforeMs: 1_700_000_000_000,
      notAfterMs: 4_000_000_000_000,
      publicKey: keys.publicKey,
      issuerKey: keys.privateKey,
      issuer: foreignCa,
      kind: { server: ["a.test"] },
    }),
  );
  expect(maySignFor(foreignCa.raw, "a.test")).toBe(true);
  expect(certificate.issuer).toBe(foreignCa.subject);
  expect(certificate.checkIssued(foreignCa)).toBe(true); // compares the identifiers, not the signature
});

it("refuses a key of another kind than P-256", async () => {
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const request = { commonName: "a.test", notBeforeMs: 0, notAfterMs: 1, kind: { server: ["a.test"] } };
  await expect(
    makeCertificate({ ...request, publicKey: keys.publicKey, issuerKey: other.privateKey }),
  ).rejects.toMatchObject({ name: "DataError" });
});
