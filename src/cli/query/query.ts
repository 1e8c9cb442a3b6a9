import { lookup } from "node:dns/promises";
import { type Clock, systemClock } from "../../base/clock.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { FLAG } from "../../dns/constants.ts";
import { askTcp, askUdp, NoReplyError, type QueryTarget } from "../../follow/dns_client.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularTextSync } from "../../sys/regular_file.ts";
import type { Call, CommandIo } from "../command.ts";
import type { Output } from "../output.ts";
import { VERSION } from "../version.ts";
import { parseQueryArgs, type QueryRequest } from "./args.ts";
import { buildQuery, mismatch } from "./message.ts";
import { formatMessage, formatShort } from "./print.ts";

/** dig's exit codes. */
export const QUERY_EXIT = { reply: 0, noReply: 9, internal: 10 } as const;

type Transport = "UDP" | "TCP";

/** `nodens query`: prints like dig. */
export async function run(
  { args }: Pick<Call, "args">,
  { output }: Pick<CommandIo, "output">,
  { clock = systemClock, resolvConf = "/etc/resolv.conf" }: {
    clock?: Clock;
    resolvConf?: string;
  } = {},
): Promise<number> {
  const request = parseQueryArgs(args);
  const { short } = request.options;
  const server = request.server ?? firstServer(resolvConf);
  const address = await resolveServer(server);
  if (address === null) {
    output.err(`nodens query: cannot get an address for "${server}" (write @192.0.2.1)\n`);
    return QUERY_EXIT.internal;
  }
  const started = clock.now();
  const reply = await ask(request, { address, port: request.port }, output);
  if (!short) output.out(`\n; <<>> nodens ${VERSION} <<>> ${args.join(" ")}\n`);
  if (reply === null) {
    output.err(";; no servers could be reached\n");
    return QUERY_EXIT.noReply;
  }
  const { message, transport } = reply;
  const elapsedMs = Math.round(clock.now() - started);
  try {
    output.out(
      short ? formatShort(message) : `;; Got answer:\n${formatMessage(message)}` +
        `;; Query time: ${elapsedMs} msec\n` +
        `;; SERVER: ${address}#${request.port}(${server}) (${transport})\n` +
        `;; WHEN: ${dateText(new Date(clock.wall()))}\n` +
        `;; MSG SIZE  rcvd: ${message.length}\n\n`,
    );
    return QUERY_EXIT.reply;
  } catch (error) {
    const dump = message.toHex().replace(/../g, "$& ").replace(/(.{47}) /g, "$1\n").trimEnd();
    output.err(
      `;; Got bad packet: ${(error as Error).message}\n${message.length} bytes\n${dump}\n`,
    );
    return QUERY_EXIT.internal;
  }
}

async function ask(
  { name, type, options }: QueryRequest,
  target: QueryTarget,
  output: Output,
): Promise<{ message: Uint8Array; transport: Transport } | null> {
  let transport: Transport = options.tcp ? "TCP" : "UDP";
  for (let left = options.tries; left > 0;) {
    const query = buildQuery({ name, type, ...options });
    const accept = (message: Uint8Array) => {
      const why = mismatch(query, message);
      if (why !== null) output.err(`;; Warning: ${why}\n`);
      return why === null;
    };
    try {
      const wait = { timeoutMs: options.time * 1000, accept };
      const message = await (transport === "TCP" ? askTcp : askUdp)(target, query, wait);
      const truncated = ((message[2]! << 8) & FLAG.TC) !== 0;
      if (!truncated || transport === "TCP") return { message, transport };
      if (!options.short) output.out(";; Truncated, retrying in TCP mode.\n");
      transport = "TCP";
    } catch (error) {
      if (!(error instanceof NoReplyError)) throw error;
      const { address, port } = target;
      output.err(`;; communications error to ${address}#${port}: ${error.message}\n`);
      left--;
    }
  }
  return null;
}

function firstServer(path: string): string {
  try {
    const text = readRegularTextSync(path, MAX_SYSTEM_FILE_BYTES);
    return /^\s*nameserver\s+(\S+)/m.exec(text)?.[1] ?? "127.0.0.1";
  } catch {
    return "127.0.0.1";
  }
}

async function resolveServer(server: string): Promise<string | null> {
  const bare = server.replace(/^\[(.*)\]$/, "$1");
  if (parseAddress(bare.split("%")[0]!) !== null) return canonicalAddress(bare);
  try {
    return (await lookup(server)).address;
  } catch {
    return null;
  }
}

function dateText(date: Date): string {
  const [day, month, number, year, time] = date.toString().split(" ");
  const zone = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" })
    .formatToParts(date).find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
  return `${day} ${month} ${number} ${time} ${zone} ${year}`;
}
