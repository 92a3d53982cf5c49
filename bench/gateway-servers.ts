import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { userTokens } from "./gateway-tokens.ts";
import type { Running } from "./launch.ts";
import { startCepoll, startMosquitto, startNats, startNchan, startSocketIo } from "./peers/push.ts";
import { startTodoku } from "./servers.ts";

/** What a load says to a server. In texts, `{i}` is the number of a topic, in six digits, and `{p}` the payload. */
export interface Speech {
  readonly path: string;
  readonly protocol?: string;
  readonly isBinary?: boolean;
  /** A subscriber's first frame; it is ready when `subscribedSign` came, or at once. */
  readonly subscribe?: string;
  readonly subscribedSign?: string;
  /** Where publishers connect, if not at `path`; their first frame, and what they wait for. */
  readonly publishPath?: string;
  readonly greeting?: string;
  readonly greetedSign?: string;
  readonly publish: string;
}

interface PushServer {
  readonly speech: Speech;
  start(cores: string): Promise<Running & { readonly tokenFile?: string }>;
}

/** Frames of 128 bytes beside the topic's six digits, in MQTT 3.1.1: CONNECT with an empty client id, SUBSCRIBE to `t{i}`. */
const mqttConnect = "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
const mqttSubscribe = "\x82\x0c\x00\x01\x00\x07t{i}\x00";
const natsConnect = 'CONNECT {"verbose":false,"pedantic":false}\r\n';

const todokuSpeech: Speech = {
  path: "/push",
  subscribe: '{"action":"topics.subscribe","cache":"bench","topic":"t{i}"}',
  subscribedSign: '"subscribed"',
  publish: '{"action":"topics.publish","cache":"bench","topic":"t{i}","text":"{p}"}',
};

/** Bare connections: the handshake is all, and the server says nothing first. */
const todokuIdleSpeech: Speech = { path: "/push", publish: "" };

/** Who is measured. */
export const pushServers = {
  "todoku-memory": { speech: todokuSpeech, start: (cores: string) => startTodoku("memory", cores) },
  "todoku-disk": { speech: todokuSpeech, start: (cores: string) => startTodoku("disk", cores) },
  "todoku-bare": { speech: todokuIdleSpeech, start: (cores: string) => startTodoku("memory", cores) },
  "todoku-rs256": { speech: todokuIdleSpeech, start: startWithTokens },
  cepoll: { speech: { path: "/", subscribe: "St{i}", publish: "Pt{i} {p}" }, start: startCepoll },
  "nats-server": {
    speech: {
      path: "/",
      isBinary: true,
      subscribe: `${natsConnect}SUB t{i} 1\r\nPING\r\n`,
      subscribedSign: "PONG",
      greeting: `${natsConnect}PING\r\n`,
      greetedSign: "PONG",
      publish: "PUB t{i} 128\r\n{p}\r\n",
    },
    start: startNats,
  },
  nchan: { speech: { path: "/sub/t{i}", publishPath: "/pub/t{i}", publish: "{p}" }, start: startNchan },
  mosquitto: {
    speech: {
      path: "/mqtt",
      protocol: "mqtt",
      isBinary: true,
      subscribe: mqttConnect + mqttSubscribe,
      subscribedSign: "\x90\x03",
      greeting: mqttConnect,
      greetedSign: "\x20\x02",
      publish: "\x30\x89\x01\x00\x07t{i}{p}",
    },
    start: startMosquitto,
  },
  "socket.io": {
    speech: {
      path: "/socket.io/?EIO=4&transport=websocket&room=t{i}",
      publishPath: "/socket.io/?EIO=4&transport=websocket",
      subscribe: "40",
      subscribedSign: "40{",
      greeting: "40",
      greetedSign: "40{",
      publish: '42["pub","t{i}","{p}"]',
    },
    start: startSocketIo,
  },
} satisfies Record<string, PushServer>;

export type PushServerName = keyof typeof pushServers;

/** With an authorizer whose keys are in a file: each connection brings a token of a user of its own. */
async function startWithTokens(cores: string): Promise<Running & { readonly tokenFile: string }> {
  const { issuer, jwksFile, tokenFile } = userTokens();
  const file = join(tmpdir(), `todoku-bench-gateway-${process.pid}.json`);
  const authorizers = [{ issuer, jwksFile, audiences: [], algorithms: ["RS256"] }];
  writeFileSync(file, JSON.stringify({ gateway: { authorizers } }));
  const server = await startTodoku("memory", cores, ["--config", file]);
  rmSync(file);
  return { ...server, tokenFile };
}
