import { askedBytes, optBytes } from "../support/battery/message.ts";
import { DENIAL, EMPTY, KEPT_FAILURE, OWN, type Row, row, UNSERVED } from "./battery_row.ts";

/** A name per row, so that rows do not share entries. */
const name = (label: string) => `${label}.h.w.battery.example`;

function changed(change: (message: Uint8Array) => void): (message: Uint8Array) => Uint8Array {
  return (message) => {
    change(message);
    return message;
  };
}

const appended = (...bytes: number[]) => (message: Uint8Array) =>
  Uint8Array.from([...message, ...bytes]);

/** Sets the number of records in a section: 4 questions, 6 answers, 8 authority, 10 additional. */
function count(message: Uint8Array, at: 4 | 6 | 8 | 10, value: number): Uint8Array {
  message[at] = value >> 8;
  message[at + 1] = value & 255;
  return message;
}

const ADDRESS = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1];
/** An empty transaction signature (RFC 8945). */
const TSIG = [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 17, 0, ...new Array(16).fill(0)];
const OPT = [...optBytes({ size: 1232 })];

const FORMERR = { ...OWN, rcode: "FORMERR" } as const;
/** An unreadable question is not repeated. */
const UNREADABLE = { ...UNSERVED, rcode: "FORMERR", question: "none" } as const;

const OPCODES = [
  [1, "IQUERY"],
  [2, "STATUS"],
  [3, "unassigned"],
  [4, "NOTIFY"],
  [5, "UPDATE"],
  [6, "DSO"],
  ...[7, 8, 9, 10, 11, 12, 13, 14, 15].map((opcode) => [opcode, "unassigned"] as const),
] as const;

/** Classes with named's answers; each is forwarded. */
const CLASSES = [
  [0, "reserved", "FORMERR"],
  [2, "unassigned", "NOTIMP"],
  [3, "CH", "REFUSED"],
  [4, "HS", "REFUSED"],
  [254, "NONE", "FORMERR"],
  [255, "ANY", "FORMERR"],
  [65535, "reserved", "NOTIMP"],
] as const;

/** Bits of the query without meaning for a server, and those returned. */
const BITS: readonly { bits: string; told: string }[] = [
  { bits: "rd aa", told: "qr aa rd ra" },
  { bits: "rd tc", told: "qr aa rd ra" },
  { bits: "rd ra", told: "qr aa rd ra" },
  // Must be zero in a response, whatever the query had (RFC 1035 section 4.1.1).
  { bits: "rd z", told: "qr aa rd ra" },
  // CD is returned (RFC 4035 section 3.2.2); AD only for validated data.
  { bits: "rd ad", told: "qr aa rd ra" },
  { bits: "rd cd", told: "qr aa rd ra cd" },
  { bits: "rd ad cd", told: "qr aa rd ra cd" },
  { bits: "rd aa tc ra z ad cd", told: "qr aa rd ra cd" },
];

/** Headers, classes, opcodes, counts and malformed messages. */
export const HEADER_ROWS: readonly Row[] = [
  ...BITS.map(({ bits, told }): Row => ({
    title: `bits ${bits}`,
    ask: { name: name(bits.replaceAll(" ", "-")), bits },
    cold: { bits: told },
  })),
  row("bits none", { name: name("norecurse"), bits: "" }, { bits: "qr aa ra", counts: "1/1/1" }, {
    upstream: "always",
  }),
  row("bits none, from the cache", { name: name("later") }, {}, {
    again: { name: name("later"), bits: "" },
    warm: { bits: "qr aa ra" },
  }),
  row("a response code in the query", { name: name("rcode"), edit: changed((m) => m[3]! |= 5) }),
  ...[0, 1, 0xff00, 0xffff].map((id): Row => ({
    title: `id ${id}`,
    ask: {
      name: name(`id${id}`),
      edit: changed((m) => {
        m[0] = id >> 8;
        m[1] = id & 255;
      }),
    },
  })),

  ...OPCODES.map(([opcode, mnemonic]): Row => ({
    title: `opcode ${opcode}, ${mnemonic}`,
    ask: { name: name(`opcode${opcode}`), type: "SOA", opcode },
    cold: { ...UNSERVED, rcode: "NOTIMP", question: "none" },
    upstream: "never",
  })),
  row(
    "opcode UPDATE with a prerequisite and an update",
    {
      name: "battery.example",
      type: "SOA",
      opcode: 5,
      edit: (m) => count(count(appended(...ADDRESS, ...ADDRESS)(m), 6, 1), 8, 1),
    },
    { ...UNSERVED, rcode: "NOTIMP", question: "none" },
    { upstream: "never" },
  ),

  ...CLASSES.map(([qclass, mnemonic, rcode]): Row => ({
    title: `class ${qclass}, ${mnemonic}`,
    ask: { name: name(`class${qclass}`), qclass },
    cold: { ...EMPTY, rcode, bits: "qr rd ra" },
    warmTcp: KEPT_FAILURE,
    // named does not log queries that it does not understand.
    upstream: "unseen",
  })),
  row("class CH, version.bind", { name: "version.bind", type: "TXT", qclass: 3 }, { ttls: [60] }),
  row("class CH, id.server", { name: "id.server", type: "TXT", qclass: 3 }, { ttls: [60] }),
  row("class IN, version.bind: no answer of another class", { name: "version.bind", type: "TXT" }, {
    ...DENIAL,
    rcode: "NXDOMAIN",
    ttls: [300],
  }),
  row("class CH, the health probe", { name: "health.nodens", type: "TXT", qclass: 3 }, {
    ...OWN,
    rcode: "REFUSED",
  }, { upstream: "never" }),

  // RFC 9619: a query has one question.
  row("no question", { name: name("none"), edit: (m) => count(m, 4, 0) }, UNREADABLE, {
    upstream: "never",
  }),
  row(
    "no question and nothing behind the header",
    { name: name("header"), edit: (m) => count(m.slice(0, 12), 4, 0) },
    UNREADABLE,
    { upstream: "never" },
  ),
  row(
    "two questions",
    {
      name: name("two"),
      edit: (m) => count(Uint8Array.from([...m, ...m.subarray(12)]), 4, 2),
    },
    UNREADABLE,
    { upstream: "never" },
  ),
  row("65535 questions", { name: name("all"), edit: (m) => count(m, 4, 65535) }, UNREADABLE, {
    upstream: "never",
  }),
  row("an answer in the query", {
    name: name("answer"),
    edit: (m) => count(appended(...ADDRESS)(m), 6, 1),
  }),
  row(
    "two answers in the query",
    { name: name("answers"), edit: (m) => count(appended(...ADDRESS, ...ADDRESS)(m), 6, 2) },
    FORMERR,
    { upstream: "never" },
  ),
  row("an address in the additional section", {
    name: name("additional"),
    edit: (m) => count(appended(...ADDRESS)(m), 10, 1),
  }),
  row(
    "three additional records",
    {
      name: name("additionals"),
      edit: (m) => count(appended(...ADDRESS, ...ADDRESS, ...ADDRESS)(m), 10, 3),
    },
    FORMERR,
    { upstream: "never" },
  ),
  // No server has the key, and nothing is signed (CoreDNS without its tsig plugin).
  row("a transaction signature", {
    name: name("tsig"),
    edit: (m) => count(appended(...TSIG)(m), 10, 1),
  }),
  row(
    "fewer records than counted",
    { name: name("fewer"), edit: (m) => count(m, 10, 1) },
    FORMERR,
    { upstream: "never" },
  ),
  row("bytes behind the message", { name: name("trailing"), edit: appended(1, 2, 3, 4, 5) }),
  row("bytes behind OPT", {
    name: name("trailing-opt"),
    edns: { size: 1232 },
    edit: appended(0, 0, 0),
  }, { opt: "1232" }),
  row("a record behind the counted ones", { name: name("uncounted"), edit: appended(...OPT) }),

  ...[0, 1, 2, 11].map((size): Row => ({
    title: `${size} octets`,
    ask: { name: name("short"), edit: (m) => m.slice(0, size) },
    cold: null,
    upstream: "never",
  })),
  row("a response", { name: name("response"), bits: "qr rd" }, null, { upstream: "never" }),
  row("a response with opcode NOTIFY", { name: name("notified"), bits: "qr rd", opcode: 4 }, null, {
    upstream: "never",
  }),

  ...[
    { title: "a header alone", edit: (m: Uint8Array) => m.slice(0, 12) },
    { title: "a name cut off", edit: (m: Uint8Array) => m.slice(0, 20) },
    { title: "a type cut off", edit: (m: Uint8Array) => m.slice(0, -3) },
    { title: "a class cut off", edit: (m: Uint8Array) => m.slice(0, -1) },
    {
      title: "a pointer to itself in the question",
      edit: (m: Uint8Array) => Uint8Array.from([...m.subarray(0, 12), 0xc0, 12, 0, 1, 0, 1]),
    },
    {
      title: "a pointer forwards in the question",
      edit: (m: Uint8Array) =>
        Uint8Array.from([...m.subarray(0, 12), 0xc0, 18, 0, 1, 0, 1, ...m.subarray(12)]),
    },
    {
      title: "a pointer into the header in the question",
      edit: (m: Uint8Array) => Uint8Array.from([...m.subarray(0, 12), 0xc0, 4, 0, 1, 0, 1]),
    },
    {
      title: "a label and a pointer in the question",
      edit: (m: Uint8Array) =>
        Uint8Array.from([...m.subarray(0, 12), 1, 0x61, 0xc0, 12, 0, 1, 0, 1]),
    },
    { title: "a label of 64 octets", edit: changed((m) => m[12] = 64) },
    { title: "a label of type 10", edit: changed((m) => m[12] = 0x81) },
    {
      title: "a name of 256 octets",
      edit: (m: Uint8Array) => {
        const labels = [63, 63, 63, 62].flatMap((size) => [size, ...new Array(size).fill(0x61)]);
        return Uint8Array.from([...m.subarray(0, 12), ...labels, 0, 0, 1, 0, 1]);
      },
    },
    {
      title: "a name of 128 labels",
      edit: (m: Uint8Array) => {
        const labels = new Array(128).fill([1, 0x61]).flat();
        return Uint8Array.from([...m.subarray(0, 12), ...labels, 0, 0, 1, 0, 1]);
      },
    },
  ].map(({ title, edit }): Row => ({
    title,
    ask: { name: name("unreadable"), edit },
    cold: UNREADABLE,
    upstream: "never",
  })),
  row("a second query behind the first", {
    name: name("smuggled"),
    edit: (m) => Uint8Array.from([...m, ...askedBytes({ name: name("smuggled2") }, 7)]),
  }),
  { title: "type OPT", ask: { name: name("opt"), type: "OPT" }, cold: FORMERR, upstream: "never" },
  // CD is part of the key, and answers to non-recursive queries are not cached.
  row("denial, then not recursive and not checked", { name: "Absent.Battery.Example" }, {
    ...DENIAL,
    rcode: "NXDOMAIN",
  }, {
    again: { name: "absent.BATTERY.example", bits: "cd" },
    warm: { bits: "qr aa ra cd" },
    upstream: "always",
  }),
];
