import { lookup } from "node:dns/promises";
import { formatIPv6, parseAddress } from "../../dns/address.ts";
import { FLAG } from "../../dns/constants.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularTextSync } from "../../sys/regular_file.ts";
import type { Output } from "../output.ts";
import { parseQueryArgs, type QueryRequest } from "./args.ts";
import { buildQuery, mismatch } from "./message.ts";
import { formatMessage, formatShort } from "./print.ts";
import {
  askTcp,
  askUdp,
  NoReplyError,
  type QueryTarget,
  type QueryWait,
} from "../../follow/dns_client.ts";
import { VERSION } from "../version.ts";

/** What `nodens query` returns to the shell; the numbers are dig's. */
export const QUERY_EXIT = {
  /** A response came, whatever its code. */
  reply: 0,
  noReply: 9,
  /** The server's name does not resolve, or the response cannot be read. */
  internal: 10,
} as const;

/** What tests replace. */
export interface QuerySurroundings {
  /** Time to wait for each try; overrides `+time`. */
  timeoutMs?: number;
  now?: () => Date;
  /** Text of resolv.conf. */
  resolvConf?: () => string;
}

/**
 * `nodens query`: asks one server one question and prints the response as dig does. Throws
 * `FlagError`.
 */
export async function runQuery(
  args: readonly string[],
  output: Output,
  surroundings: QuerySurroundings = {},
): Promise<number> {
  const request = parseQueryArgs(args);
  const server = request.server ?? firstServer(surroundings.resolvConf ?? systemResolvConf);
  const address = await resolveServer(server);
  if (address === null) {
    output.err(`nodens query: cannot get an address for "${server}" (write @192.0.2.1)\n`);
    return QUERY_EXIT.internal;
  }
  const target = { address, port: request.port };
  const where = `${address}#${request.port}`;
  const now = surroundings.now ?? (() => new Date());
  const started = performance.now();
  const reply = await ask(request, target, {
    output,
    timeoutMs: surroundings.timeoutMs ?? request.timeoutSeconds * 1000,
  });
  if (!request.short) output.out(`\n; <<>> nodens ${VERSION} <<>> ${args.join(" ")}\n`);
  if (reply === null) {
    output.err(";; no servers could be reached\n");
    return QUERY_EXIT.noReply;
  }
  const elapsedMs = Math.round(performance.now() - started);
  try {
    if (request.short) {
      output.out(formatShort(reply.message));
      return QUERY_EXIT.reply;
    }
    output.out(
      `;; Got answer:\n${formatMessage(reply.message)}` +
        `;; Query time: ${elapsedMs} msec\n` +
        `;; SERVER: ${where}(${server}) (${reply.transport})\n` +
        `;; WHEN: ${dateText(now())}\n` +
        `;; MSG SIZE  rcvd: ${reply.message.length}\n\n`,
    );
    return QUERY_EXIT.reply;
  } catch (error) {
    output.err(
      `;; Got bad packet: ${(error as Error).message}\n${reply.message.length} bytes\n` +
        `${hexDump(reply.message)}`,
    );
    return QUERY_EXIT.internal;
  }
}

interface Reply {
  message: Uint8Array;
  transport: "UDP" | "TCP";
}

/** Asks over UDP, and over TCP where asked to or the answer came truncated; null without a reply. */
async function ask(
  request: QueryRequest,
  target: QueryTarget,
  { output, timeoutMs }: { output: Output; timeoutMs: number },
): Promise<Reply | null> {
  const where = `${target.address}#${target.port}`;
  let transport: Reply["transport"] = request.tcp ? "TCP" : "UDP";
  for (let left = request.tries; left > 0;) {
    const query = buildQuery(request, crypto.getRandomValues(new Uint16Array(1))[0]!);
    const wait: QueryWait = {
      timeoutMs,
      accept(message) {
        const why = mismatch(query, message);
        if (why !== null) output.err(`;; Warning: ${why}\n`);
        return why === null;
      },
    };
    try {
      const message = await (transport === "TCP" ? askTcp : askUdp)(target, query, wait);
      const truncated = ((message[2]! << 8) & FLAG.TC) !== 0;
      if (!truncated || transport === "TCP") return { message, transport };
      if (!request.short) output.out(";; Truncated, retrying in TCP mode.\n");
      transport = "TCP";
    } catch (error) {
      if (!(error instanceof NoReplyError)) throw error;
      output.err(`;; communications error to ${where}: ${error.message}\n`);
      left--;
    }
  }
  return null;
}

function systemResolvConf(): string {
  try {
    return readRegularTextSync("/etc/resolv.conf", MAX_SYSTEM_FILE_BYTES);
  } catch {
    return "";
  }
}

/** The first nameserver of a resolv.conf; without one the local host (resolv.conf(5)). */
function firstServer(read: () => string): string {
  for (const line of read().split("\n")) {
    const [word, address] = line.trim().split(/\s+/);
    if (word === "nameserver" && address !== undefined) return address;
  }
  return "127.0.0.1";
}

/** IP address of a server that is named by address or host name; null if it has none. */
async function resolveServer(server: string): Promise<string | null> {
  const [bare, scope] = server.replace(/^\[(.*)\]$/, "$1").split("%");
  const bytes = parseAddress(bare!);
  if (bytes !== null) {
    const text = bytes.length === 4 ? bare! : formatIPv6(bytes);
    return scope === undefined ? text : `${text}%${scope}`;
  }
  try {
    return (await lookup(server)).address;
  } catch {
    return null;
  }
}

/** As `date` writes it: `Mon Nov 23 11:23:53 UTC 2026`. */
function dateText(date: Date): string {
  const [day, month, number, year, time] = date.toString().split(" ");
  const zone = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" })
    .formatToParts(date).find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
  return `${day} ${month} ${number} ${time} ${zone} ${year}`;
}

function hexDump(bytes: Uint8Array): string {
  const octets = Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0"));
  let text = "";
  for (let at = 0; at < octets.length; at += 16) {
    text += `${octets.slice(at, at + 16).join(" ")}\n`;
  }
  return text;
}
