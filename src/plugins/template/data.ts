import type { Address } from "../../dns/address.ts";
import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { classText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Value } from "./go_template/values.ts";

/** A query, and what a pattern found in its name. */
export interface Subject {
  readonly exchange: Exchange;
  /** Lower case, with the closing dot. */
  readonly name: string;
  /** Null for queries of nodens' own. */
  readonly client: Address | null;
  readonly local: Address | null;
  readonly pattern: string;
  readonly groups: readonly string[];
  readonly names: ReadonlyMap<string, number>;
}

/** A query that matches, with the template's zone, class and type. */
export interface Match extends Subject {
  readonly zone: string;
  readonly qclass: number;
  readonly qtype: number;
  readonly variables: { readonly [name: string]: Value };
}

const FIELDS: Readonly<Record<string, (match: Match) => Value>> = {
  Zone: ({ zone }) => zone,
  Name: ({ name }) => name,
  Regex: ({ pattern }) => pattern,
  // ANY queries get the template's.
  Class: ({ exchange, qclass }) =>
    classText(exchange.qclass === CLASS.ANY ? qclass : exchange.qclass),
  Type: ({ exchange, qtype }) => typeText(exchange.qtype === TYPE.ANY ? qtype : exchange.qtype),
  Match: ({ groups }) => groups,
  Group: ({ groups, names }) => {
    const group: Record<string, string> = Object.create(null);
    groups.forEach((text, i) => group[i] = text);
    for (const [name, i] of names) group[name] = groups[i]!;
    return group;
  },
  Message: ({ exchange }) => messageOf(exchange),
  Question: ({ exchange }) => questionOf(exchange),
  Remote: ({ client }) => client?.hostname() ?? "",
  Var: ({ variables }) => variables,
  // Empty, as in CoreDNS without `metadata`.
  Meta: () => (_name: Value = null) => "",
};

/** Fields of the data of templates. */
export const FIELD_NAMES: ReadonlySet<string> = new Set(Object.keys(FIELDS));

/** The data of templates. */
export function dataOf(match: Match): Value {
  return Object.fromEntries(Object.entries(FIELDS).map(([name, of]) => [name, of(match)]));
}

function questionOf({ memory, offset, qtype, qclass }: Exchange): Value {
  const name = formatName(memory.bytes, offset + HEADER_SIZE);
  return { Name: name, Qtype: BigInt(qtype), Qclass: BigInt(qclass) };
}

/** The query as a message of miekg/dns. */
function messageOf(exchange: Exchange): Value {
  const { flags, id } = exchange;
  const isSet = (flag: number) => (flags & flag) !== 0;
  return {
    Id: BigInt(id),
    Response: false,
    Opcode: 0n,
    Authoritative: isSet(FLAG.AA),
    Truncated: isSet(FLAG.TC),
    RecursionDesired: isSet(FLAG.RD),
    RecursionAvailable: isSet(FLAG.RA),
    Zero: isSet(FLAG.Z),
    AuthenticatedData: isSet(FLAG.AD),
    CheckingDisabled: isSet(FLAG.CD),
    Rcode: 0n,
    Question: [questionOf(exchange)],
    Answer: [],
    Ns: [],
    Extra: [],
  };
}
