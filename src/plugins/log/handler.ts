import { Address } from "../../dns/address.ts";
import { FLAG } from "../../dns/constants.ts";
import { classText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { KIND } from "../../dns/response_scan.ts";
import { type Exchange, TCP } from "../../engine/exchange.ts";
import type { CreateHandler, EngineServices, Handler } from "../../engine/handler.ts";
import { ZoneTable } from "../../engine/zones.ts";
import type { LogClass, LogField, LogOptions, LogRule } from "./options.ts";

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [FLAG.QR, "qr"],
  [FLAG.AA, "aa"],
  [FLAG.TC, "tc"],
  [FLAG.RD, "rd"],
  [FLAG.RA, "ra"],
  [FLAG.Z, "z"],
  [FLAG.AD, "ad"],
  [FLAG.CD, "cd"],
];

/** Makes the handler of a block's `log` directives. */
export const createLog: CreateHandler<LogOptions> = (options, { engine }) =>
  new LogHandler(options, engine);

/** Writes a line for every response that a rule asks for. */
class LogHandler implements Handler {
  readonly name = "log";
  readonly #engine: EngineServices;
  readonly #rules: { rule: LogRule; zone: ZoneTable<true> }[];
  readonly #address = new Address();

  constructor(options: LogOptions, engine: EngineServices) {
    this.#engine = engine;
    this.#rules = options.rules.map((rule) => ({
      rule,
      zone: new ZoneTable([[rule.zone, true]]),
    }));
  }

  response(exchange: Exchange): void {
    for (const { rule, zone } of this.#rules) {
      if (zone.match(exchange) === null) continue;
      const { classes } = rule;
      if (!classes.includes("all") && !classes.includes(classify(exchange).class)) return;
      let line = "";
      for (const part of rule.format) {
        line += "text" in part ? part.text : this.#field(exchange, part.field);
      }
      this.#engine.log("info", line);
      return;
    }
  }

  #field(exchange: Exchange, field: LogField): string {
    const response = exchange.response!;
    switch (field) {
      case "type":
        return typeText(exchange.qtype);
      case "name":
        return formatName(exchange.memory.bytes, exchange.offset + 12).toLowerCase();
      case "class":
        return classText(exchange.qclass);
      case "proto":
        return exchange.transport === TCP ? "tcp" : "udp";
      case "size":
        return String(exchange.length);
      case "remote":
        this.#engine.clientAddress(exchange, this.#address);
        return host(this.#address);
      case "port":
        this.#engine.clientAddress(exchange, this.#address);
        return String(this.#address.port);
      case "local":
        this.#engine.localAddress(exchange, this.#address);
        return host(this.#address);
      case ">id":
        return String(exchange.id);
      case ">opcode":
        return String((exchange.flags & FLAG.OPCODE) >> 11);
      case ">do":
        return String(exchange.dnssecOk);
      case ">bufsize":
        return String(exchange.edns ? Math.max(512, exchange.ednsSize) : 512);
      case "rcode":
        return rcodeText(response.rcode);
      case "rsize":
        return String(response.length);
      case "duration":
        return `${((this.#engine.nowMs - exchange.receivedMs) / 1000).toFixed(9)}s`;
      case ">rflags":
        return flagsText(response.flags | (exchange.flags & (FLAG.RD | FLAG.CD)));
      case "/log/class":
        return classify(exchange).class;
      case "/log/type":
        return classify(exchange).type;
    }
  }
}

function host(address: Address): string {
  return address.family === 4 ? address.hostname() : `[${address.hostname()}]`;
}

function flagsText(flags: number): string {
  return FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name).join(",");
}

function classify(exchange: Exchange): { class: Exclude<LogClass, "all">; type: string } {
  const response = exchange.response!;
  const { rcode } = response;
  if (rcode === 3) return { class: "denial", type: "NXDOMAIN" };
  if (rcode !== 0) return { class: "error", type: rcodeText(rcode) };
  const authorities = response.memory.view.getUint16(response.offset + 8);
  const nodata = response.kind === KIND.NODATA || (response.answerCount === 0 && authorities > 0);
  return nodata ? { class: "denial", type: "NODATA" } : { class: "success", type: "NOERROR" };
}
