import { Address } from "../../dns/address.ts";
import { FLAG, HEADER_SIZE, MAX_MESSAGE_SIZE, MIN_UDP_PAYLOAD } from "../../dns/constants.ts";
import { classText, flagsText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { type Exchange, TCP } from "../../engine/exchange.ts";
import type { CreateHandler, EngineServices, Handler } from "../../engine/handler.ts";
import type { Response } from "../../engine/response.ts";
import { ZoneTable } from "../../engine/zones.ts";
import { classify } from "./classify.ts";
import type { LogField, LogOptions, LogRule } from "./options.ts";

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
      if (!classes.includes("all") && !classes.includes(classify(exchange.response!).class)) return;
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
        return formatName(exchange.memory.bytes, exchange.offset + HEADER_SIZE).toLowerCase();
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
        // Over TCP every size fits, whatever OPT says.
        return String(
          exchange.transport === TCP
            ? MAX_MESSAGE_SIZE
            : Math.max(MIN_UDP_PAYLOAD, exchange.ednsSize),
        );
      case "rcode":
        return rcodeOf(response);
      case "rsize":
        return String(response.length);
      case "duration":
        return secondsText(this.#engine.nowMs - exchange.receivedMs);
      case ">rflags":
        return clientFlags(exchange, response.flags);
      case "/log/class":
        return classify(response).class;
      case "/log/type":
        return classify(response).type;
    }
  }
}

function host(address: Address): string {
  return address.family === 4 ? address.hostname() : `[${address.hostname()}]`;
}

/** Mnemonic, or for a response code without one its number, as CoreDNS has it. */
function rcodeOf({ rcode }: Response): string {
  const text = rcodeText(rcode);
  return text.startsWith("RCODE") ? String(rcode) : text;
}

/** Flags as the client gets them (`compose`). */
function clientFlags(exchange: Exchange, response: number): string {
  let flags = (response & ~(FLAG.RD | FLAG.CD)) | (exchange.flags & (FLAG.RD | FLAG.CD));
  if (!exchange.dnssecOk && !exchange.authenticData) flags &= ~FLAG.AD;
  return flagsText(flags, ",");
}

/** A time as Go prints seconds: as many digits as it takes, down to the nanosecond. */
function secondsText(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(9).replace(/\.?0+$/, "")}s`;
}
