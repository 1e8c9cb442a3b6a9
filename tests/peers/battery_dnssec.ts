import { DENIAL, EMPTY, type Row } from "./battery_row.ts";

const DO = { size: 1232, do: true } as const;
const TOLD = "1232 do";

/** Signed zones, the DO, AD and CD bits (RFC 4035 section 3.2, RFC 6840 section 5). */
export const DNSSEC_ROWS: readonly Row[] = [
  { title: "signed, without DO", ask: { name: "plain.w.signed.example" } },
  {
    title: "signed, without DO in OPT",
    ask: { name: "opt.w.signed.example", edns: { size: 1232 } },
    cold: { opt: "1232" },
  },
  {
    // The wildcard's signature needs proof that the name does not exist.
    title: "signed wildcard, DO",
    ask: { name: "do.w.signed.example", edns: DO },
    cold: { counts: "2/2/0", ttls: [120], opt: TOLD },
  },
  {
    title: "signed, DO",
    ask: { name: "a.signed.example", edns: DO },
    cold: { counts: "2/0/0", opt: TOLD },
  },
  {
    // Entries for DO clients are not for others.
    title: "signed, DO and then without",
    ask: { name: "mixed.w.signed.example", edns: DO },
    cold: { counts: "2/2/0", ttls: [120], opt: TOLD },
    again: { name: "mixed.w.signed.example" },
    warm: { counts: "1/0/0", ttls: [300], opt: null },
    upstream: "always",
  },
  {
    title: "signed NXDOMAIN, without DO",
    ask: { name: "nothing.signed.example" },
    cold: { ...DENIAL, rcode: "NXDOMAIN" },
  },
  {
    // SOA and two NSEC records, each with its signature.
    title: "signed NXDOMAIN, DO",
    ask: { name: "nothing.signed.example", edns: DO },
    cold: { rcode: "NXDOMAIN", counts: "0/6/0", ttls: [120], opt: TOLD },
  },
  {
    title: "signed NODATA, DO",
    ask: { name: "a.signed.example", type: "AAAA", edns: DO },
    cold: { counts: "0/4/0", ttls: [120], opt: TOLD },
  },
  { title: "keys asked for without DO", ask: { name: "signed.example", type: "DNSKEY" } },
  {
    title: "proofs asked for without DO",
    ask: { name: "a.signed.example", type: "NSEC" },
    cold: { ttls: [120] },
  },
  {
    title: "signatures asked for without DO",
    ask: { name: "ns.signed.example", type: "RRSIG" },
    cold: { counts: "2/0/0", ttls: [120] },
  },
  { title: "DS of a child", ask: { name: "child.signed.example", type: "DS" } },
  {
    title: "DS of a child, DO",
    ask: { name: "child.signed.example", type: "DS", edns: DO },
    cold: { counts: "2/0/0", opt: TOLD },
  },

  // Only the validator sets AD, for clients that ask for it (RFC 6840 section 5.7).
  {
    title: "validated, nobody asked",
    ask: { name: "nobody.trusted.example" },
    cold: { bits: "qr rd ra" },
    warm: { bits: "qr aa rd ra" },
    aged: true,
  },
  {
    title: "validated, AD in the query",
    ask: { name: "ad.trusted.example", bits: "rd ad" },
    cold: { bits: "qr rd ra ad" },
    warm: { bits: "qr aa rd ra ad" },
    aged: true,
  },
  {
    title: "validated, DO in the query",
    ask: { name: "a.trusted.example", edns: DO },
    cold: { bits: "qr rd ra ad", counts: "2/0/0", opt: TOLD },
    warm: { bits: "qr aa rd ra ad" },
    aged: true,
  },
  {
    title: "validated, AD in the query and then not",
    ask: { name: "once.trusted.example", bits: "rd ad" },
    again: { name: "once.trusted.example" },
    cold: { bits: "qr rd ra ad" },
    warm: { bits: "qr aa rd ra" },
    aged: true,
  },
  {
    // What the first client did not ask for is known and cached for the second.
    title: "validated, AD in the second query only",
    ask: { name: "later.trusted.example" },
    again: { name: "later.trusted.example", bits: "rd ad" },
    cold: { bits: "qr rd ra" },
    warm: { bits: "qr aa rd ra ad" },
    aged: true,
  },
  {
    title: "validated NXDOMAIN, AD in the query",
    ask: { name: "nothing.trusted.example", bits: "rd ad" },
    cold: { ...DENIAL, rcode: "NXDOMAIN", bits: "qr rd ra ad" },
    warm: { bits: "qr aa rd ra ad" },
    aged: true,
  },
  {
    title: "AD in the query, an authority that cannot say so",
    ask: { name: "insecure.w.signed.example", bits: "rd ad" },
  },
  {
    title: "bogus",
    ask: { name: "bad.bogus.example" },
    cold: { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra" },
    warmTcp: { bits: "qr aa rd ra" },
    upstream: "always",
  },
  {
    title: "bogus, checking disabled",
    ask: { name: "cd.bogus.example", bits: "rd cd" },
    cold: { bits: "qr rd ra cd" },
    warm: { bits: "qr aa rd ra cd" },
    aged: true,
  },
  {
    // A validation failure is not for a client that validates itself.
    title: "bogus, then checking disabled",
    ask: { name: "both.bogus.example" },
    again: { name: "both.bogus.example", bits: "rd cd" },
    cold: { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra" },
    warm: { rcode: "NOERROR", bits: "qr rd ra cd", counts: "1/0/0", ttls: [300] },
    // The second query over TCP finds the entry of the one over UDP.
    warmTcp: { bits: "qr aa rd ra cd" },
    upstream: "unseen",
    aged: true,
  },
  {
    // An unvalidated answer is not for a client that relies on validation.
    title: "bogus, checking disabled and then not",
    ask: { name: "back.bogus.example", bits: "rd cd" },
    again: { name: "back.bogus.example" },
    cold: { bits: "qr rd ra cd" },
    warm: { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra" },
    warmTcp: { bits: "qr aa rd ra" },
    upstream: "unseen",
    aged: true,
  },
];
