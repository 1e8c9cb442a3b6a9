import { MANY } from "../support/battery/servers.ts";
import { optBytes } from "../support/battery/message.ts";
import { DENIAL, EMPTY, KEPT_FAILURE, OWN, type Row, row } from "./battery_row.ts";

const name = (label: string) => `${label}.e.w.battery.example`;

/** The UDP size in nodens's own OPT (RFC 6891 section 6.2.3). */
const OURS = "1232";

/** Header, question for `sNNNNN.many.battery.example` and OPT. */
const AROUND = 12 + (6 + 1 + "many.battery.example".length + 2 + 4) + 11;
const RECORD = 16;

/** Sizes offered by clients, and the resulting limit of a datagram. */
const SIZES: readonly { size: number; limit: number }[] = [
  // Less than 512 counts as 512 (RFC 6891 section 6.2.3).
  { size: 0, limit: 512 },
  { size: 1, limit: 512 },
  { size: 511, limit: 512 },
  { size: 512, limit: 512 },
  { size: 513, limit: 513 },
  { size: 1231, limit: 1231 },
  { size: 1232, limit: 1232 },
  // nodens sends no more unless configured (DNS flag day 2020).
  { size: 1233, limit: 1232 },
  { size: 4096, limit: 1232 },
  { size: 65535, limit: 1232 },
];

/** A text record that does not fit is omitted entirely. */
const TEXTS: readonly { octets: number; size: number | null; fits: boolean }[] = [
  { octets: 600, size: null, fits: false },
  { octets: 600, size: 512, fits: false },
  { octets: 600, size: 1232, fits: true },
  { octets: 1300, size: 1232, fits: false },
  { octets: 1300, size: 1400, fits: false },
  { octets: 5000, size: 512, fits: false },
  { octets: 5000, size: 1232, fits: false },
  { octets: 5000, size: 4096, fits: false },
  { octets: 5000, size: 65535, fits: false },
];

const OPTIONS: readonly { title: string; option: readonly [number, string] }[] = [
  { title: "NSID", option: [3, ""] },
  { title: "client subnet", option: [8, "00011800c00002"] },
  { title: "client subnet of no length", option: [8, "00010000"] },
  { title: "EXPIRE", option: [9, ""] },
  { title: "client cookie", option: [10, "0011223344556677"] },
  { title: "client and server cookie", option: [10, "00112233445566778899aabbccddeeff"] },
  { title: "keepalive", option: [11, ""] },
  { title: "padding", option: [12, "00".repeat(64)] },
  { title: "chain", option: [13, "00"] },
  { title: "key tag", option: [14, "4f66"] },
  { title: "an extended error from a client", option: [15, "0000"] },
  { title: "unassigned", option: [4242, "deadbeef"] },
  { title: "for local use", option: [65001, "01"] },
  { title: "reserved", option: [65535, ""] },
];

const additional = (count: number, bytes: readonly number[]) => (message: Uint8Array) => {
  const longer = Uint8Array.from([...message, ...bytes]);
  longer[11] = count;
  return longer;
};

const OPT = [...optBytes({ size: 1232 })];
const FORMERR = { ...OWN, rcode: "FORMERR" } as const;

/** OPT (RFC 6891), truncation (RFC 2181 section 9) and extended errors (RFC 8914). */
export const EDNS_ROWS: readonly Row[] = [
  { title: "no OPT", ask: { name: name("none") } },
  ...SIZES.map(({ size, limit }): Row => {
    const fitting = Math.min(MANY, Math.floor((limit - AROUND) / RECORD));
    return {
      title: `size ${size}`,
      ask: { name: `s${String(size).padStart(5, "0")}.many.battery.example`, edns: { size } },
      cold: {
        bits: fitting < MANY ? "qr aa tc rd ra" : "qr aa rd ra",
        counts: `${fitting}/0/0`,
        opt: OURS,
        size: AROUND + RECORD * fitting,
      },
      tcp: { bits: "qr aa rd ra", counts: `${MANY}/0/0`, size: AROUND + RECORD * MANY },
    };
  }),
  row("size 512 without OPT", { name: "nosize.many.battery.example" }, {
    bits: "qr aa tc rd ra",
    counts: `${Math.floor((512 - AROUND + 11) / RECORD)}/0/0`,
  }, { tcp: { bits: "qr aa rd ra", counts: `${MANY}/0/0` } }),
  // Records that one client could not receive are cached.
  row("size 512 and then 1232", { name: "short1.many.battery.example", edns: { size: 512 } }, {
    bits: "qr aa tc rd ra",
    counts: `${Math.floor((512 - AROUND) / RECORD)}/0/0`,
    opt: OURS,
  }, {
    again: { name: "short1.many.battery.example", edns: { size: 1232 } },
    warm: {
      bits: "qr aa tc rd ra",
      counts: `${Math.floor((1232 - AROUND) / RECORD)}/0/0`,
    },
    tcp: { bits: "qr aa rd ra", counts: `${MANY}/0/0` },
    warmTcp: { bits: "qr aa rd ra", counts: `${MANY}/0/0` },
  }),
  ...TEXTS.map(({ octets, size, fits }): Row => ({
    title: `text of ${octets} octets, ${size === null ? "no OPT" : `size ${size}`}`,
    ask: {
      name: `s${size ?? "none"}.t${octets}.battery.example`,
      type: "TXT",
      ...(size === null ? {} : { edns: { size } }),
    },
    cold: {
      opt: size === null ? null : OURS,
      ...(fits ? {} : { ...EMPTY, bits: "qr aa tc rd ra" }),
    },
    tcp: { bits: "qr aa rd ra", counts: "1/0/0", ttls: [300] },
  })),

  row("no OPT and then OPT", { name: name("plain") }, {}, {
    again: { name: name("plain"), edns: { size: 1232 } },
    warm: { opt: OURS },
  }),
  row("OPT and then no OPT", { name: name("opt"), edns: { size: 1232 } }, { opt: OURS }, {
    again: { name: name("opt") },
    warm: { opt: null },
  }),
  // The highest common version, and a code for others (RFC 6891 section 6.1.3).
  ...[1, 2, 100, 255].map((version): Row => ({
    title: `version ${version}`,
    ask: { name: name(`version${version}`), edns: { size: 1232, version } },
    cold: { ...OWN, rcode: "BADVERS", opt: OURS },
    upstream: "never",
  })),
  row(
    "version 1 with DO and options",
    {
      name: name("version1do"),
      edns: { size: 1232, version: 1, do: true, options: [[10, "0011223344556677"]] },
    },
    { ...OWN, rcode: "BADVERS", opt: `${OURS} do` },
    { upstream: "never" },
  ),
  row("DO", { name: name("do"), edns: { size: 1232, do: true } }, { opt: `${OURS} do` }),
  // Unknown flags are ignored and not returned (RFC 6891 section 6.1.4).
  row("all flags but DO", { name: name("flags"), edns: { size: 1232, z: 0x7fff } }, { opt: OURS }),
  row("all flags", { name: name("allflags"), edns: { size: 1232, do: true, z: 0x7fff } }, {
    opt: `${OURS} do`,
  }),
  row("an extended code in the query's OPT", {
    name: name("extended"),
    edns: { size: 1232 },
    edit: (message) => {
      message[message.length - 6] = 1;
      return message;
    },
  }, { opt: OURS }),
  // Unsupported options are ignored and not returned.
  ...OPTIONS.map(({ title, option }, i): Row => ({
    title: `option ${option[0]}, ${title}`,
    ask: { name: name(`option${i}`), edns: { size: 1232, options: [option] } },
    cold: { opt: OURS },
  })),
  row("every option at once", {
    name: name("options"),
    edns: { size: 1232, options: OPTIONS.map(({ option }) => option) },
  }, { opt: OURS }),
  // A client's subnet is not part of the key, so the other client finds the same entry.
  row(
    "client subnets, one after the other",
    { name: name("subnets"), edns: { size: 1232, options: [[8, "00011800c00002"]] } },
    { opt: OURS },
    {
      again: { name: name("subnets"), edns: { size: 1232, options: [[8, "00011800c63364"]] } },
    },
  ),

  row("two OPT records", { name: name("two"), edit: additional(2, [...OPT, ...OPT]) }, {
    ...FORMERR,
    opt: OURS,
  }, { upstream: "never" }),
  row(
    "OPT in the answer section",
    {
      name: name("answer"),
      edit: (message) => {
        const longer = Uint8Array.from([...message, ...OPT]);
        longer[7] = 1;
        return longer;
      },
    },
    FORMERR,
    { upstream: "never" },
  ),
  row(
    "OPT of another owner than the root",
    { name: name("owner"), edit: additional(1, [1, 0x61, ...OPT]) },
    FORMERR,
    { upstream: "never" },
  ),
  row("OPT cut off", { name: name("cut"), edit: additional(1, OPT.slice(0, -2)) }, FORMERR, {
    upstream: "never",
  }),
  row(
    "OPT with data cut off",
    { name: name("data"), edit: additional(1, [...OPT.slice(0, -1), 4, 0, 10]) },
    FORMERR,
    { upstream: "never" },
  ),
  // BIND and CoreDNS cannot read it either.
  row(
    "an option longer than OPT",
    {
      name: name("overrun"),
      edit: additional(1, [...OPT.slice(0, -1), 6, 0, 10, 0, 8, 1, 2]),
    },
    { ...FORMERR, opt: OURS },
    { upstream: "never" },
  ),
  row(
    "an option without a length",
    { name: name("stub"), edit: additional(1, [...OPT.slice(0, -1), 3, 0, 10, 0]) },
    { ...FORMERR, opt: OURS },
    { upstream: "never" },
  ),
  row("OPT before another record", {
    name: name("first"),
    edit: additional(2, [...OPT, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1]),
  }, { opt: OURS }),

  row("NXDOMAIN with OPT", { name: "edns.battery.example", edns: { size: 1232 } }, {
    ...DENIAL,
    rcode: "NXDOMAIN",
    opt: OURS,
  }),
  {
    title: "REFUSED with OPT",
    ask: { name: "edns.refused.example", edns: { size: 1232 } },
    // named's reason is passed on: prohibited.
    cold: { ...EMPTY, rcode: "REFUSED", bits: "qr rd ra", opt: `${OURS} ede=18` },
    warmTcp: { ...KEPT_FAILURE, opt: `${OURS} ede=13 ede=18` },
    upstream: "always",
  },
  // Not CH, in which named limits the rate of answers.
  row("class HS with OPT", { name: name("hesiod"), qclass: 4, edns: { size: 1232 } }, {
    ...EMPTY,
    rcode: "REFUSED",
    bits: "qr rd ra",
    opt: `${OURS} ede=18`,
  }, {
    warmTcp: { ...KEPT_FAILURE, opt: `${OURS} ede=13 ede=18` },
    upstream: "unseen",
  }),
  row("AXFR with OPT", { name: "edns.example", type: "AXFR", edns: { size: 1232 } }, {
    ...OWN,
    rcode: "REFUSED",
    opt: OURS,
  }, { upstream: "never" }),

  row("upstream dead, no OPT", { name: "plain.dead.example" }, { ...OWN, rcode: "SERVFAIL" }, {
    warmTcp: KEPT_FAILURE,
    upstream: "unseen",
  }),
  {
    title: "upstream dead, extended error",
    ask: { name: "first.dead.example", edns: { size: 1232 } },
    // No upstream was reachable (22), or communication failed (23).
    cold: { ...OWN, rcode: "SERVFAIL", opt: [22, 23].map((code) => `${OURS} ede=${code}`) },
    warmTcp: {
      ...KEPT_FAILURE,
      opt: ["13", "13 ede=22", "13 ede=23"].map((codes) => `${OURS} ede=${codes}`),
    },
    upstream: "unseen",
  },
  row(
    "SERVFAIL of the upstream, extended error of the cache",
    { name: "edns.broken.example", edns: { size: 1232 } },
    { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra", opt: OURS },
    { warmTcp: { bits: "qr aa rd ra", opt: `${OURS} ede=13` }, upstream: "always" },
  ),
];
