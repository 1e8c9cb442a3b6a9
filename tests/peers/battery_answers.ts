import { DENIAL, EMPTY, KEPT_FAILURE, OWN, type Row, UNSERVED } from "./battery_row.ts";
import { wireName } from "../support/battery/message.ts";

/** Record types below the wildcard, with the records beside the one of the answer. */
const TYPES: readonly { type: string; counts?: string }[] = [
  { type: "A" },
  { type: "AAAA" },
  { type: "TXT" },
  // With the exchange's address.
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

/** Types that the wildcard lacks, and unassigned numbers. */
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

/** Octets of "w.battery.example" in wire form. */
const ZONE_OCTETS = below().length;

/** The longest possible name: 255 octets (RFC 1035 section 2.3.4). */
const LONGEST = (() => {
  const room = 255 - ZONE_OCTETS;
  const labels = [63, 63, 63].map((size) => label("l".repeat(size)));
  return below(...labels, label("m".repeat(room - 3 * 64 - 1)));
})();

/** What a cache passes on, by type and name. */
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
  {
    title: "type ANY",
    ask: { name: "any.battery.example", type: "ANY" },
    cold: { counts: "2/0/0" },
  },
  {
    title: "transfer AXFR",
    ask: { name: "battery.example", type: "AXFR" },
    cold: { ...OWN, rcode: "REFUSED" },
    upstream: "never",
  },
  {
    title: "transfer IXFR",
    ask: {
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
    cold: { ...OWN, rcode: "REFUSED" },
    upstream: "never",
  },

  // Names.
  { title: "name of the root", ask: { name: ".", type: "SOA" }, cold: { ttls: [3600] } },
  {
    title: "name without data at the root",
    ask: { name: ".", type: "TXT" },
    cold: { ...DENIAL, ttls: [300] },
  },
  { title: "name of 255 octets", ask: { name: LONGEST } },
  {
    title: "name with labels of 63 octets",
    ask: { name: `${"n".repeat(63)}.${"o".repeat(63)}.w.battery.example` },
  },
  { title: "name in mixed case", ask: { name: "MiXed.w.BATTERY.eXaMpLe" } },
  {
    title: "name in another case from the cache",
    ask: { name: "case.w.battery.example" },
    again: { name: "CASE.w.battery.Example" },
  },
  {
    title: "name in lower case after mixed case",
    ask: { name: "LOWER.W.BATTERY.EXAMPLE" },
    again: { name: "lower.w.battery.example" },
  },
  { title: "name of zeros and ones", ask: { name: below(bytes(0, 1, 2, 0, 255, 254, 128)) } },
  {
    title: "name with a dot inside a label",
    ask: { name: below(label("a.b"), label(' \\"();@$')) },
  },
  {
    // Bits are not letters: only A to Z have two cases (RFC 4343).
    title: "name with letters beyond ASCII in upper case",
    ask: { name: below(label("ÄÖÜ")) },
    again: { name: below(label("ÄÖÜ")) },
  },
  {
    title: "name with an underscore and a hyphen first",
    ask: { name: "_dns._udp.-x-.w.battery.example" },
  },
  { title: "name of many labels", ask: { name: `${"a.".repeat(110)}w.battery.example` } },

  // Aliases.
  {
    title: "alias to data",
    ask: { name: "x.chain.battery.example" },
    cold: { counts: "3/0/0", ttls: [100] },
  },
  { title: "alias asked for itself", ask: { name: "y.chain.battery.example", type: "CNAME" } },
  {
    title: "alias to no data",
    ask: { name: "x.nodata.battery.example", type: "AAAA" },
    cold: { counts: "1/1/0", ttls: [120] },
  },
  {
    // The response code is that of the end of the chain (RFC 6604 section 3).
    title: "alias to nothing",
    ask: { name: "x.gone.battery.example" },
    cold: { rcode: "NXDOMAIN", counts: "1/1/0", ttls: [120] },
  },
  {
    title: "alias out of the zone",
    ask: { name: "x.abroad.battery.example" },
    cold: { counts: "2/0/0" },
  },
  {
    // A failure is cached, with or without records, at first briefly.
    title: "alias that never ends",
    ask: { name: "x.loop.battery.example" },
    cold: { rcode: "SERVFAIL", counts: "2/0/0", ttls: [1] },
    warm: { ttls: [2] },
    upstream: "always",
  },
  { title: "DNAME", ask: { name: "x.old.battery.example" }, cold: { counts: "3/0/0" } },
  { title: "DNAME asked for itself", ask: { name: "old.battery.example", type: "DNAME" } },
  {
    title: "name that does not exist",
    ask: { name: "nothing.battery.example" },
    cold: { ...DENIAL, rcode: "NXDOMAIN" },
  },
  { title: "TTL above the limit", ask: { name: "x.long.battery.example" }, cold: { ttls: [3600] } },
  { title: "TTL below the limit", ask: { name: "x.zero.battery.example" }, cold: { ttls: [60] } },
  {
    title: "TTLs without a cache",
    ask: { name: "chain.uncached.example" },
    cold: { counts: "3/0/0", ttls: [100, 300] },
    upstream: "always",
  },
  {
    // From a server without recursion: passed on unchanged, and not cached.
    title: "delegation",
    ask: { name: "www.child.referring.example" },
    cold: { bits: "qr rd", counts: "0/2/1" },
    upstream: "always",
  },
  {
    title: "delegation, not recursive",
    ask: { name: "www.child.battery.example", bits: "" },
    cold: { bits: "qr ra", counts: "0/1/1" },
    upstream: "always",
  },

  // Failures of the upstream.
  {
    // The first failure is cached for a second, so the warm pass asks again once.
    title: "SERVFAIL",
    ask: { name: "servfail.broken.example" },
    cold: { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra" },
    warmTcp: { bits: "qr aa rd ra" },
    upstream: "always",
  },
  {
    title: "REFUSED",
    ask: { name: "x.refused.example" },
    cold: { ...EMPTY, rcode: "REFUSED", bits: "qr rd ra" },
    warmTcp: KEPT_FAILURE,
    upstream: "always",
  },
  {
    title: "zone without plugins",
    ask: { name: "x.empty.example" },
    cold: { ...UNSERVED, rcode: "REFUSED" },
    upstream: "never",
  },
];
