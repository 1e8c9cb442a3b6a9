import { parseAddress } from "../../../dns/address.ts";
import { MAX_MESSAGE_SIZE, MIN_UDP_PAYLOAD } from "../../../dns/constants.ts";
import { classText, typeText } from "../../../dns/mnemonics.ts";
import { isInNetwork, parseNetwork } from "../../../dns/network.ts";
import { TCP } from "../../../engine/exchange/exchange.ts";
import type { Subject } from "../data.ts";
import { EvaluationError, type Value } from "../go_template/values.ts";
import { text } from "./types.ts";

type Ask = (subject: Subject, ...args: Value[]) => Value;

const ASKED: Readonly<Record<string, Ask>> = {
  bufsize: ({ exchange: { transport, ednsSize } }) =>
    BigInt(transport === TCP ? MAX_MESSAGE_SIZE : Math.max(MIN_UDP_PAYLOAD, ednsSize)),
  class: ({ exchange }) => classText(exchange.qclass),
  client_ip: ({ client }) => client?.hostname() ?? "",
  do: ({ exchange }) => exchange.dnssecOk,
  group: ({ groups, names }, which = null) =>
    groups[typeof which === "string" ? names.get(which) ?? Number(which) : Number(which)] ?? "",
  id: ({ exchange }) => BigInt(exchange.id),
  incidr: (_subject, address = null, network = null) => isIn(text(address), text(network)),
  // As in CoreDNS without the plugin `metadata`.
  metadata: () => "",
  name: ({ name }) => name,
  // Only queries reach a handler.
  opcode: () => 0n,
  port: ({ client }) => client === null ? "" : `${client.port}`,
  proto: ({ exchange }) => exchange.transport === TCP ? "tcp" : "udp",
  server_ip: ({ local }) => local?.hostname() ?? "",
  server_port: ({ local }) => local === null ? "" : `${local.port}`,
  size: ({ exchange }) => BigInt(exchange.length),
  type: ({ exchange }) => typeText(exchange.qtype),
};
/** The others take none. */
const ARGUMENTS: Readonly<Record<string, number>> = { group: 1, incidr: 2, metadata: 1 };

/** Functions about the query, with the number of their arguments. */
export const ENVIRONMENT: ReadonlyMap<string, number> = new Map(
  Object.keys(ASKED).map((name) => [name, ARGUMENTS[name] ?? 0]),
);

/** Calls a function about the query. */
export function ask(subject: Subject, name: string, args: readonly Value[]): Value {
  return ASKED[name]!(subject, ...args);
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
