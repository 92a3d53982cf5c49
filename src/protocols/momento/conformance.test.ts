import { create, type DescMessage, type DescService, equals, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { auth, cache, control, ping, pubsub, token } from "@gomomento/generated-types";
import { permission_messages as theirPermissions } from "@gomomento/generated-types/dist/permissionmessages.js";
import { describe, expect, it } from "vitest";
import { decodeDelete, decodeGet, decodeSet, encodeGetHit, encodeGetMiss, encodeSetOk } from "./codec-items.ts";
import { decodePublish, decodeSubscribe, encodeDiscontinuity, encodeTopicItem, heartbeat } from "./codec-topics.ts";
