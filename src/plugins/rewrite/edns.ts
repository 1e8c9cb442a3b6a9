import { Address } from "../../dns/address.ts";
import { SUBNET, subnetSize } from "../../dns/client_subnet.ts";
import { HEADER_SIZE } from "../../dns/constants.ts";
import { formatName } from "../../dns/name.ts";
import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { findOption } from "../edns_option.ts";
import type { EdnsVariable, RewriteRule } from "./options.ts";

type EdnsRule = RewriteRule & { field: "edns0" };

/** Maximum size of a query's options in octets; later ones are dropped. */
const MAX_OPTIONS = 512;
const encoder = new TextEncoder();
const address = new Address();

/** EDNS options of one upstream query, as changed by rules. */
export class EdnsChanges {
  /** Null keeps the client's, empty removes it. */
  subnet: Uint8Array | null = null;
  readonly #exchange: Exchange;
  readonly #engine: EngineServices;
  /** By code; null if removed. */
  readonly #changed = new Map<number, Uint8Array | null>();

  constructor(exchange: Exchange, engine: EngineServices) {
    this.#exchange = exchange;
    this.#engine = engine;
  }

  /** Returns whether the rule matches. */
  apply(rule: EdnsRule): boolean {
    if (rule.kind === "subnet") return this.#applySubnet(rule);
    const { action, code } = rule;
    const before = this.#changed.has(code) ? this.#changed.get(code)! : this.#ofClient(code);
    if (action === "replace" && before === null) return false;
    // Sent explicitly: client options are dropped by default.
    const keeps = action === "append" && before !== null;
    const value = "data" in rule
      ? Uint8Array.from(rule.data)
      : "variable" in rule
      ? this.#variable(rule.variable)
      : null;
    this.#changed.set(code, keeps ? before : value);
    return true;
  }

  encode(): Uint8Array {
    const octets: number[] = [];
    for (const [code, data] of this.#changed) {
      if (data === null || octets.length + 4 + data.length > MAX_OPTIONS) continue;
      octets.push(code >> 8, code & 255, data.length >> 8, data.length & 255, ...data);
    }
    return Uint8Array.from(octets);
  }

  #applySubnet(rule: EdnsRule & { kind: "subnet" }): boolean {
    const has = this.subnet === null ? this.#exchange.ecsLength > 0 : this.subnet.length > 0;
    if (rule.action === "unset") {
      this.subnet = new Uint8Array(0);
      return true;
    }
    if (rule.action === "replace" ? !has : rule.action === "append" && has) return false;
    if (this.#exchange.internal) return false;
    this.#engine.clientAddress(this.#exchange, address);
    const bits = address.family === 4 ? rule.bits.ipv4 : rule.bits.ipv6;
    const data = new Uint8Array(subnetSize(bits));
    data[SUBNET.FAMILY + 1] = address.family === 4 ? 1 : 2;
    data[SUBNET.SOURCE] = bits;
    data.set(address.bytes.subarray(0, data.length - SUBNET.ADDRESS), SUBNET.ADDRESS);
    const rest = bits & 7;
    if (rest > 0) data[data.length - 1]! &= 0xff00 >> rest;
    this.subnet = data;
    return true;
  }

  #variable(name: EdnsVariable): Uint8Array {
    const exchange = this.#exchange;
    const number = (value: number) => Uint8Array.of(value >> 8, value & 255);
    switch (name) {
      case "qname":
        return encoder.encode(formatName(exchange.memory.bytes, exchange.offset + HEADER_SIZE));
      case "qtype":
        return number(exchange.qtype);
      case "protocol":
        return encoder.encode(exchange.transport === TCP ? "tcp" : "udp");
    }
    if (exchange.internal) return new Uint8Array(0);
    if (name.startsWith("client")) this.#engine.clientAddress(exchange, address);
    else this.#engine.localAddress(exchange, address);
    if (name.endsWith("port")) return number(address.port);
    return address.bytes.slice(0, address.family === 4 ? 4 : 16);
  }

  #ofClient(code: number): Uint8Array | null {
    const { bytes, view } = this.#exchange.memory;
    const at = findOption(this.#exchange, code);
    return at < 0 ? null : bytes.slice(at + 4, at + 4 + view.getUint16(at + 2));
  }
}
