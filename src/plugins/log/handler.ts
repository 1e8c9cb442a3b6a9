import { Address } from "../../dns/address.ts";
import { FLAG, HEADER_SIZE, MAX_MESSAGE_SIZE, MIN_UDP_PAYLOAD } from "../../dns/constants.ts";
import { classText, flagsText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import type { CreateHandler, EngineServices, Handler, LogFields } from "../../engine/handler.ts";
import type { Response } from "../../engine/response/response.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { classify, type ResponseKind } from "./classify.ts";
import type { LogField, LogOptions, LogPart, LogRule } from "./options.ts";

/** Names and kinds of the values, where they are members of an object. */
const MEMBERS: Readonly<Record<LogField, [string, "text" | "number" | "boolean" | "host"]>> = {
  "type": ["type", "text"],
  "name": ["name", "text"],
  "class": ["class", "text"],
  "proto": ["proto", "text"],
  "size": ["size", "number"],
  "remote": ["remote", "host"],
  "port": ["port", "number"],
  "local": ["local", "host"],
  ">id": ["id", "number"],
  ">opcode": ["opcode", "number"],
  ">do": ["do", "boolean"],
  ">bufsize": ["bufsize", "number"],
  "rcode": ["rcode", "text"],
  "rsize": ["rsize", "number"],
  "duration": ["duration", "number"],
  ">rflags": ["rflags", "text"],
  "/log/class": ["log/class", "text"],
  "/log/type": ["log/type", "text"],
};

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
      if (!classes.includes("all") && !classes.includes(this.#kind(exchange).class)) return;
      let line = "";
      for (const part of rule.format) {
        line += "text" in part ? part.text : this.#field(exchange, part.field);
      }
      const fields = this.#engine.logsFields ? this.#fields(exchange, rule.format) : undefined;
      this.#engine.log("info", line, fields);
      return;
    }
  }

  /** The values of the format, under the names of their placeholders. */
  #fields(exchange: Exchange, format: readonly LogPart[]): LogFields {
    const fields: Record<string, string | number | boolean> = { plugin: "log" };
    for (const part of format) {
      if ("text" in part) continue;
      const text = this.#field(exchange, part.field);
      const [name, kind] = MEMBERS[part.field];
      fields[name] = kind === "number"
        ? parseFloat(text)
        : kind === "boolean"
        ? text === "true"
        : kind === "host"
        ? text.replace(/^\[|\]$/g, "")
        : text;
    }
    return fields;
  }

  #kind(exchange: Exchange): ResponseKind {
    return classify(exchange.response!, exchange.dnssecOk ? this.#engine.wallMs() : NaN);
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
        return this.#kind(exchange).class;
      case "/log/type":
        return this.#kind(exchange).type;
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
