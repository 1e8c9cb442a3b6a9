import { CLASS, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Value } from "./go_template/values.ts";

/** Fields of the data that templates are evaluated with. */
export const FIELD_NAMES: ReadonlySet<string> = new Set([
  "Zone",
  "Name",
  "Regex",
  "Class",
  "Type",
  "Match",
  "Group",
  "Message",
  "Question",
  "Remote",
  "Meta",
]);

/** What a pattern found in a name. */
export interface Match {
  /** The name in lower case, with its closing dot. */
  readonly name: string;
  /** The pattern, in Go's syntax. */
  readonly pattern: string;
  readonly groups: readonly string[];
  readonly names: ReadonlyMap<string, number>;
}

/** Where a query fits, and who sent it. */
export interface Circumstances {
  /** Zone of the template that the name is in. */
  readonly zone: string;
  /** Class and type of the template. */
  readonly qclass: number;
  readonly qtype: number;
  /** The client's address. */
  readonly remote: string;
}

/** The data that a template sees of a query. */
export function dataOf(exchange: Exchange, match: Match, where: Circumstances): Value {
  const { memory, offset, qclass, qtype, flags, id } = exchange;
  const question = {
    Name: formatName(memory.bytes, offset + HEADER_SIZE),
    Qtype: BigInt(qtype),
    Qclass: BigInt(qclass),
  };
  const group: Record<string, string> = Object.create(null);
  match.groups.forEach((text, i) => group[i] = text);
  for (const [name, i] of match.names) group[name] = match.groups[i]!;
  const bit = (mask: number) => (flags & mask) !== 0;
  return {
    Zone: where.zone,
    Name: match.name,
    Regex: match.pattern,
    // A query for any gets what the template is for.
    Class: classText(qclass === CLASS.ANY ? where.qclass : qclass),
    Type: typeText(qtype === TYPE.ANY ? where.qtype : qtype),
    Match: match.groups,
    Group: group,
    Message: {
      Id: BigInt(id),
      Response: false,
      Opcode: 0n,
      Authoritative: bit(0x0400),
      Truncated: bit(0x0200),
      RecursionDesired: bit(0x0100),
      RecursionAvailable: bit(0x0080),
      Zero: bit(0x0040),
      AuthenticatedData: bit(0x0020),
      CheckingDisabled: bit(0x0010),
      Rcode: 0n,
      Question: [question],
      Answer: [],
      Ns: [],
      Extra: [],
    },
    Question: question,
    Remote: where.remote,
    // There is no plugin `metadata`, so every one of its names is empty, as without it in CoreDNS.
    Meta: (_name: Value = null) => "",
  };
}
