// The peers of bench/gateway.ts, as Debian packages and npm give them, each alone on its core with files and ports of its own.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, launchOn, type Running } from "../launch.ts";
import { compiler } from "../loader.ts";
import { freePort } from "./free-port.ts";

/** A peer is not on this machine: its rows are left out. */
export class NotInstalled extends Error {}

/** More than any question opens. */
const connectionsMax = 20_000;

function need(program: string, howTo: string): void {
  if (!existsSync(program)) throw new NotInstalled(`${program} is not there: ${howTo}`);
}

function ownDirectory(name: string) {
  const directory = mkdtempSync(join(tmpdir(), `todoku-bench-${name}-`));
  return { directory, clear: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Broadcasts with one `send` for each subscriber and does nothing else: the practical limit. */
export async function startCepoll(cores: string): Promise<Running> {
  const { directory, clear } = ownDirectory("cepoll");
  const source = fileURLToPath(import.meta.resolve("./cepoll.cpp"));
  const binary = join(directory, "cepoll");
  execFileSync(compiler, ["-O2", "-std=c++17", "-o", binary, source]);
  return launch(cores, binary, [], clear);
}

export async function startNats(cores: string): Promise<Running> {
  const program = "/usr/sbin/nats-server";
  need(program, "apt-get install nats-server");
  const { directory, clear } = ownDirectory("nats");
  const [port, clientPort] = [await freePort(), await freePort()];
  const file = join(directory, "nats.conf");
  const webSocket = `{ listen: "127.0.0.1:${port}", no_tls: true, compression: false }`;
  writeFileSync(file, `listen: 127.0.0.1:${clientPort}\nmax_connections: ${connectionsMax}\nwebsocket ${webSocket}\n`);
  return launchOn(port, cores, program, ["-c", file], clear);
}

export async function startMosquitto(cores: string): Promise<Running> {
  const program = "/usr/sbin/mosquitto";
  need(program, "apt-get install mosquitto");
  const { directory, clear } = ownDirectory("mosquitto");
  // Without a listener for plain MQTT, 2.0.11 takes its WebSockets for no listener at all, and ends.
  const [port, plainPort] = [await freePort(), await freePort()];
  const file = join(directory, "mosquitto.conf");
  const lines = [
    ...["user root", "persistence false", "set_tcp_nodelay true", "max_queued_messages 0", "log_type none"],
    ...["allow_anonymous true", `listener ${plainPort} 127.0.0.1`, "protocol mqtt"],
    ...[`listener ${port} 127.0.0.1`, "socket_domain ipv4", "protocol websockets"],
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return launchOn(port, cores, program, ["-c", file], clear);
}

/** nginx with its module nchan; one process, so that its CPU is counted. */
export async function startNchan(cores: string): Promise<Running> {
  const [program, module] = ["/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_nchan_module.so"];
  for (const file of [program, module]) need(file, "apt-get install nginx libnginx-mod-nchan");
  const { directory, clear } = ownDirectory("nchan");
  const port = await freePort();
  const kept = "nchan_channel_id $1; nchan_message_buffer_length 200; nchan_message_timeout 10s;";
  const text = `load_module ${module};
user root; daemon off; master_process off; pid nginx.pid; error_log nginx.err crit; worker_rlimit_nofile ${connectionsMax};
events { worker_connections ${connectionsMax - 500}; use epoll; multi_accept on; }
http { access_log off; tcp_nodelay on; nchan_shared_memory_size 512M; client_body_temp_path body;
 server { listen 127.0.0.1:${port} backlog=4096;
  location ~ ^/sub/(\\w+)$ { nchan_subscriber websocket; nchan_subscriber_first_message newest; nchan_websocket_ping_interval 0; ${kept} }
  location ~ ^/pub/(\\w+)$ { nchan_publisher websocket; ${kept} } } }
`;
  writeFileSync(join(directory, "nginx.conf"), text);
  return launchOn(port, cores, program, ["-p", directory, "-c", "nginx.conf", "-e", "nginx.err"], clear);
}

/** socket.io is no dependency of ours: it is taken from the folder $BENCH_PEERS, in which `npm install socket.io` was run. */
export async function startSocketIo(cores: string): Promise<Running> {
  const folder = process.env.BENCH_PEERS;
  const howTo = "npm install socket.io in a folder of your own, and name it in BENCH_PEERS";
  if (folder === undefined) throw new NotInstalled(`socket.io is not there: ${howTo}`);
  need(join(folder, "node_modules/socket.io"), howTo);
  const script = fileURLToPath(import.meta.resolve("./socket-io.ts"));
  return launch(cores, process.execPath, [script, resolve(folder)]);
}

/** What they are, for the line above the table. */
export function peerVersions(): string {
  const nats = () => execFileSync("/usr/sbin/nats-server", ["-v"], { encoding: "utf8" }).replace(": v", " ").trim();
  const packages = (name: string) =>
    execFileSync("dpkg-query", ["-W", name], { encoding: "utf8" }).trim().replace("\t", " ");
  const socketIo = () => {
    const file = join(process.env.BENCH_PEERS ?? "", "node_modules/socket.io/package.json");
    return `socket.io ${JSON.parse(readFileSync(file, "utf8")).version}`;
  };
  const all = [nats, () => packages("libnginx-mod-nchan"), () => packages("mosquitto"), socketIo];
  return all
    .flatMap((version) => {
      try {
        return [version()];
      } catch {
        return []; // it is not installed
      }
    })
    .join(", ");
}
