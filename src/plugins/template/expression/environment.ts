import { parseAddress } from "../../../dns/address.ts";
import { MAX_MESSAGE_SIZE, MIN_UDP_PAYLOAD } from "../../../dns/constants.ts";
import { classText, typeText } from "../../../dns/mnemonics.ts";
import { isInNetwork, parseNetwork } from "../../../dns/network.ts";
import { TCP } from "../../../engine/exchange/exchange.ts";
import type { Subject } from "../data.ts";
import { EvaluationError, type Value } from "../go_template/values.ts";
import type { Environment } from "./scope.ts";
import { text } from "./types.ts";

type Ask = (subject: Subject, ...args: Value[]) => Value;

/** Functions about the query, with the number of their arguments. */
const ASKED: Readonly<Record<string, readonly [args: number, ask: Ask]>> = {
  bufsize: [
    0,
    ({ exchange: { transport, ednsSize } }) =>
      BigInt(transport === TCP ? MAX_MESSAGE_SIZE : Math.max(MIN_UDP_PAYLOAD, ednsSize)),
  ],
  class: [0, ({ exchange }) => classText(exchange.qclass)],
  client_ip: [0, ({ client }) => client?.hostname() ?? ""],
  do: [0, ({ exchange }) => exchange.dnssecOk],
  group: [
    1,
    ({ groups, names }, which = null) =>
      groups[typeof which === "string" ? names.get(which) ?? Number(which) : Number(which)] ?? "",
  ],
  id: [0, ({ exchange }) => BigInt(exchange.id)],
  incidr: [2, (_subject, address = null, network = null) => isIn(text(address), text(network))],
  // As in CoreDNS without the plugin `metadata`.
  metadata: [1, () => ""],
  name: [0, ({ name }) => name],
  // Only queries reach a handler.
  opcode: [0, () => 0n],
  port: [0, ({ client }) => client === null ? "" : `${client.port}`],
  proto: [0, ({ exchange }) => exchange.transport === TCP ? "tcp" : "udp"],
  server_ip: [0, ({ local }) => local?.hostname() ?? ""],
  server_port: [0, ({ local }) => local === null ? "" : `${local.port}`],
  size: [0, ({ exchange }) => BigInt(exchange.length)],
  type: [0, ({ exchange }) => typeText(exchange.qtype)],
};

/** Number of arguments by function. */
export const ENVIRONMENT: ReadonlyMap<string, number> = new Map(
  Object.entries(ASKED).map(([name, [args]]) => [name, args]),
);

/** The functions about a query. */
export function environmentOf(subject: Subject): Environment {
  return Object.fromEntries(
    Object.entries(ASKED).map(([name, [, ask]]) => [name, (...args) => ask(subject, ...args)]),
  );
}

function isIn(address: string, range: string): boolean {
  // Queries of nodens' own have no client.
  if (address === "") return false;
  const octets = parseAddress(address);
  if (octets === null) throw new EvaluationError(`${address} is not an address`);
  const network = parseNetwork(range);
  if (network === null) throw new EvaluationError(`${range} is not a network`);
  return isInNetwork(network, octets, 0, octets.length);
}
