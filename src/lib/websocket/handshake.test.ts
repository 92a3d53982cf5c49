import type { IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { readHandshake, switchingProtocols } from "./handshake.ts";

const key = "dGhlIHNhbXBsZSBub25jZQ==";

/** The parts of a request that a handshake is read from. */
function aRequest(headers: Record<string, string | undefined> = {}, line: { method?: string; minor?: number } = {}) {
  const all = {
    host: "a",
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": key,
    ...headers,
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const { method = "GET", minor = 1 } = line;
  const request: Pick<IncomingMessage, "method" | "httpVersionMajor" | "httpVersionMinor" | "headers"> = {
    method,
    httpVersionMajor: 1,
    httpVersionMinor: minor,
    headers: given,
  };
  return request as IncomingMessage;
}

it("answers the key of the RFC with the accept of the RFC", () => {
  expect(switchingProtocols(key)).toBe(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  expect(switchingProtocols(key, "todoku.v1")).toContain("\r\nsec-websocket-protocol: todoku.v1\r\n\r\n");
});

it("reads the protocols that are offered, and passes over extensions", () => {
  const headers = {
    "sec-websocket-protocol": "todoku.v1, bearer.a.b-_c,,",
    "sec-websocket-extensions": "permessage-deflate",
    connection: "keep-alive, UPGRADE",
    upgrade: "h3, WebSocket",
  };
  expect(readHandshake(aRequest(headers))).toEqual({ key, protocols: ["todoku.v1", "bearer.a.b-_c"] });
  expect(readHandshake(aRequest())).toEqual({ key, protocols: [] });
});

it("names the version that it speaks to who speaks another", () => {
  for (const version of ["8", "14", "13, 8", undefined]) {
    const answer = readHandshake(aRequest({ "sec-websocket-version": version }));
    expect(answer, `${version}`).toMatchObject({ status: 426, headers: { "sec-websocket-version": "13" } });
    if (version) expect(answer).toMatchObject({ message: expect.stringContaining(`"${version}"`) });
  }
});

it("refuses what is no handshake", () => {
  for (const [status, headers, line] of [
    [405, {}, { method: "POST" }],
    [400, {}, { minor: 0 }],
    [400, { host: undefined }],
    [426, { upgrade: undefined }],
    [426, { upgrade: "h2c" }],
    [426, { connection: "keep-alive" }],
    [400, { "sec-websocket-key": undefined }],
    [400, { "sec-websocket-key": "dGhlIHNhbXBsZQ==" }],
    [400, { "sec-websocket-key": `${key}, ${key}` }],
    [400, { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZR==" }],
    [400, { "sec-websocket-protocol": "a, b c" }],
    [400, { "sec-websocket-protocol": "a, b, a" }],
  ] as [number, Record<string, string | undefined>, { method?: string; minor?: number }?][]) {
    const answer = readHandshake(aRequest(headers, line));
    expect(answer, JSON.stringify([headers, line])).toMatchObject({ status });
  }
});

it("never quotes a protocol: it may be a token", () => {
  const answer = readHandshake(aRequest({ "sec-websocket-protocol": "bearer.secret/=" }));
  expect(answer).toMatchObject({ status: 400 });
  expect(JSON.stringify(answer)).not.toContain("secret");
});
