import { DENIAL, EMPTY, KEPT_FAILURE, OWN, type Row, row, UNSERVED } from "./battery_row.ts";
import { wireName } from "../support/battery/message.ts";

const TYPES: readonly { type: string; counts?: string }[] = [
  { type: "A" },
  { type: "AAAA" },
  { type: "TXT" },
  { type: "MX", counts: "1/0/1" },
  { type: "SRV", counts: "1/0/1" },
  { type: "CAA" },
  { type: "NAPTR" },
  { type: "PTR" },
  { type: "HINFO" },
  { type: "RP" },
  { type: "SSHFP" },
  { type: "TLSA" },
  // The target is the owner itself, whose addresses are added (RFC 9460 section 4.1).
  { type: "HTTPS", counts: "1/0/2" },
  { type: "SVCB", counts: "1/0/2" },
  { type: "TYPE65280" },
];

const NO_DATA = ["CNAME", "NS", "SOA", "DS", "DNSKEY", "LOC", "URI", "TYPE0", "TYPE65535"];

/** Types that are special requests (RFC 6895 section 3.1), with named's answers. */
const META: readonly { type: string; rcode: string }[] = [
  { type: "TKEY", rcode: "FORMERR" },
  { type: "TSIG", rcode: "FORMERR" },
  { type: "TYPE128", rcode: "FORMERR" },
  { type: "MAILA", rcode: "NOTIMP" },
  { type: "MAILB", rcode: "NOTIMP" },
];

const bytes = (...values: number[]) => Uint8Array.from(values);
const label = (text: string) => new TextEncoder().encode(text);
const below = (...labels: Uint8Array[]) =>
  wireName([...labels, label("w"), label("battery"), label("example")]);

const ZONE_OCTETS = below().length;

/** The longest possible name: 255 octets (RFC 1035 section 2.3.4). */
const LONGEST = (() => {
  const room = 255 - ZONE_OCTETS;
  const labels = [63, 63, 63].map((size) => label("l".repeat(size)));
  return below(...labels, label("m".repeat(room - 3 * 64 - 1)));
})();

/** Answers that a cache passes on, by type and name. */
export const ANSWER_ROWS: readonly Row[] = [
  ...TYPES.map(({ type, counts }): Row => ({
    title: `type ${type}`,
    ask: { name: `${type}.type.w.battery.example`.toLowerCase(), type },
    cold: counts === undefined ? {} : { counts },
  })),
  ...NO_DATA.map((type): Row => ({
    title: `no data of type ${type}`,
    ask: { name: `${type}.none.w.battery.example`.toLowerCase(), type },
    cold: DENIAL,
  })),
  ...META.map(({ type, rcode }): Row => ({
    title: `meta type ${type}`,
    ask: { name: `${type}.meta.w.battery.example`.toLowerCase(), type },
    cold: { ...EMPTY, rcode, bits: "qr rd ra" },
    warmTcp: KEPT_FAILURE,
    upstream: "always",
  })),
  // All records of a name, over either transport (RFC 8482 allows less).
  row("type ANY", { name: "any.battery.example", type: "ANY" }, { counts: "2/0/0" }),
  row("transfer AXFR", { name: "battery.example", type: "AXFR" }, { ...OWN, rcode: "REFUSED" }, {
    upstream: "never",
  }),
  row(
    "transfer IXFR",
    {
      name: "battery.example",
      type: "IXFR",
      // The SOA record of the client's version (RFC 1995 section 3).
      edit: (query) => {
        const soa = bytes(0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0, ...new Uint8Array(20));
        const message = Uint8Array.from([...query, ...soa]);
        message[9] = 1;
        return message;
      },
    },
    { ...OWN, rcode: "REFUSED" },
    { upstream: "never" },
  ),

  { title: "name of the root", ask: { name: ".", type: "SOA" }, cold: { ttls: [3600] } },
  row("name without data at the root", { name: ".", type: "TXT" }, { ...DENIAL, ttls: [300] }),
  { title: "name of 255 octets", ask: { name: LONGEST } },
  row("name with labels of 63 octets", {
    name: `${"n".repeat(63)}.${"o".repeat(63)}.w.battery.example`,
  }),
  { title: "name in mixed case", ask: { name: "MiXed.w.BATTERY.eXaMpLe" } },
  row("name in another case from the cache", { name: "case.w.battery.example" }, {}, {
    again: { name: "CASE.w.battery.Example" },
  }),
  row("name in lower case after mixed case", { name: "LOWER.W.BATTERY.EXAMPLE" }, {}, {
    again: { name: "lower.w.battery.example" },
  }),
  { title: "name of zeros and ones", ask: { name: below(bytes(0, 1, 2, 0, 255, 254, 128)) } },
  row("name with a dot inside a label", { name: below(label("a.b"), label(' \\"();@$')) }),
  // Bits are not letters: only A to Z have two cases (RFC 4343).
  row("name with letters beyond ASCII in upper case", { name: below(label("ÄÖÜ")) }, {}, {
    again: { name: below(label("ÄÖÜ")) },
  }),
  row("name with an underscore and a hyphen first", { name: "_dns._udp.-x-.w.battery.example" }),
  { title: "name of many labels", ask: { name: `${"a.".repeat(110)}w.battery.example` } },

  row("alias to data", { name: "x.chain.battery.example" }, { counts: "3/0/0", ttls: [100] }),
  { title: "alias asked for itself", ask: { name: "y.chain.battery.example", type: "CNAME" } },
  row("alias to no data", { name: "x.nodata.battery.example", type: "AAAA" }, {
    counts: "1/1/0",
    ttls: [120],
  }),
  // The response code is that of the end of the chain (RFC 6604 section 3).
  row("alias to nothing", { name: "x.gone.battery.example" }, {
    rcode: "NXDOMAIN",
    counts: "1/1/0",
    ttls: [120],
  }),
  row("alias out of the zone", { name: "x.abroad.battery.example" }, { counts: "2/0/0" }),
  // A failure is cached, with or without records, at first briefly.
  row("alias that never ends", { name: "x.loop.battery.example" }, {
    rcode: "SERVFAIL",
    counts: "2/0/0",
    ttls: [1],
  }, { warm: { ttls: [2] }, upstream: "always" }),
  { title: "DNAME", ask: { name: "x.old.battery.example" }, cold: { counts: "3/0/0" } },
  { title: "DNAME asked for itself", ask: { name: "old.battery.example", type: "DNAME" } },
  row("name that does not exist", { name: "nothing.battery.example" }, {
    ...DENIAL,
    rcode: "NXDOMAIN",
  }),
  { title: "TTL above the limit", ask: { name: "x.long.battery.example" }, cold: { ttls: [3600] } },
  { title: "TTL below the limit", ask: { name: "x.zero.battery.example" }, cold: { ttls: [60] } },
  row("TTLs without a cache", { name: "chain.uncached.example" }, {
    counts: "3/0/0",
    ttls: [100, 300],
  }, { upstream: "always" }),
  // From a server without recursion: passed on unchanged, and not cached.
  row("delegation", { name: "www.child.referring.example" }, { bits: "qr rd", counts: "0/2/1" }, {
    upstream: "always",
  }),
  row("delegation, not recursive", { name: "www.child.battery.example", bits: "" }, {
    bits: "qr ra",
    counts: "0/1/1",
  }, { upstream: "always" }),

  // The first failure is cached for a second, so the warm pass asks again once.
  row("SERVFAIL", { name: "servfail.broken.example" }, {
    ...EMPTY,
    rcode: "SERVFAIL",
    bits: "qr rd ra",
  }, { warmTcp: { bits: "qr aa rd ra" }, upstream: "always" }),
  row("REFUSED", { name: "x.refused.example" }, { ...EMPTY, rcode: "REFUSED", bits: "qr rd ra" }, {
    warmTcp: KEPT_FAILURE,
    upstream: "always",
  }),
  row("zone without plugins", { name: "x.empty.example" }, { ...UNSERVED, rcode: "REFUSED" }, {
    upstream: "never",
  }),
];
