// Momento's words against the SDK's own: what its middleware sends must be understood.
import cacheClient from "@gomomento/generated-types/dist/cacheclient.js";
import pubsub from "@gomomento/generated-types/dist/cachepubsub.js";
import { MomentoErrorCode } from "@gomomento/sdk";
import { MomentoErrorCodeMetadataConverter } from "@gomomento/sdk/dist/src/config/retry/momento-error-code-metadata-converter.js";
import {
  MomentoRPCMethod,
  MomentoRPCMethodMetadataConverter,
} from "@gomomento/sdk/dist/src/config/retry/momento-rpc-method.js";
import { expect, it } from "vitest";
import { rpcNameOf, statusByName, toStatusName } from "./faults-names.ts";

const services = [
  cacheClient.cache_client.UnimplementedScsService,
  pubsub.cache_client.pubsub.UnimplementedPubsubService,
];
const paths = services.flatMap(({ definition }) => Object.values(definition).map(({ path }) => path));

it("calls every RPC what the SDK calls it", () => {
  const names = new Set(paths.map(rpcNameOf));
  const wanted = Object.values(MomentoRPCMethod).map((method) => MomentoRPCMethodMetadataConverter.convert(method));
  expect(wanted.filter((name) => !names.has(name))).toEqual([]);
  expect(rpcNameOf("/cache_client.Scs/SetIfNotExists")).toBe(rpcNameOf("/cache_client.Scs/SetIf"));
  expect(rpcNameOf("/leaderboard.Leaderboard/GetByRank")).toBe("get-by-rank");
});

it("understands an error code of the SDK like the status that the SDK makes of it", () => {
  const codes = Object.values(MomentoErrorCode).filter((code) => code !== MomentoErrorCode.FUNCTION_NOT_FOUND_ERROR);
  for (const code of codes) {
    const name = MomentoErrorCodeMetadataConverter.convert(code);
    expect([code, toStatusName(code)]).toEqual([code, name]);
    expect(statusByName).toHaveProperty(name);
  }
  expect(toStatusName("constructor")).toBeUndefined();
});
