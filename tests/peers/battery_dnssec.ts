import { DENIAL, EMPTY, type Row, row } from "./battery_row.ts";

const DO = { size: 1232, do: true } as const;
const TOLD = "1232 do";

/** Signed zones, the DO, AD and CD bits (RFC 4035 section 3.2, RFC 6840 section 5). */
export const DNSSEC_ROWS: readonly Row[] = [
  { title: "signed, without DO", ask: { name: "plain.w.signed.example" } },
  row("signed, without DO in OPT", { name: "opt.w.signed.example", edns: { size: 1232 } }, {
    opt: "1232",
  }),
  // The wildcard's signature needs proof that the name does not exist.
  row("signed wildcard, DO", { name: "do.w.signed.example", edns: DO }, {
    counts: "2/2/0",
    ttls: [120],
    opt: TOLD,
  }),
  row("signed, DO", { name: "a.signed.example", edns: DO }, { counts: "2/0/0", opt: TOLD }),
  // Entries for DO clients are not for others.
  row("signed, DO and then without", { name: "mixed.w.signed.example", edns: DO }, {
    counts: "2/2/0",
    ttls: [120],
    opt: TOLD,
  }, {
    again: { name: "mixed.w.signed.example" },
    warm: { counts: "1/0/0", ttls: [300], opt: null },
    upstream: "always",
  }),
  row("signed NXDOMAIN, without DO", { name: "nothing.signed.example" }, {
    ...DENIAL,
    rcode: "NXDOMAIN",
  }),
  row("signed NXDOMAIN, DO", { name: "nothing.signed.example", edns: DO }, {
    rcode: "NXDOMAIN",
    counts: "0/6/0",
    ttls: [120],
    opt: TOLD,
  }),
  row("signed NODATA, DO", { name: "a.signed.example", type: "AAAA", edns: DO }, {
    counts: "0/4/0",
    ttls: [120],
    opt: TOLD,
  }),
  { title: "keys asked for without DO", ask: { name: "signed.example", type: "DNSKEY" } },
  row("proofs asked for without DO", { name: "a.signed.example", type: "NSEC" }, { ttls: [120] }),
  row("signatures asked for without DO", { name: "ns.signed.example", type: "RRSIG" }, {
    counts: "2/0/0",
    ttls: [120],
  }),
  { title: "DS of a child", ask: { name: "child.signed.example", type: "DS" } },
  row("DS of a child, DO", { name: "child.signed.example", type: "DS", edns: DO }, {
    counts: "2/0/0",
    opt: TOLD,
  }),

  // Only the validator sets AD, for clients that ask for it (RFC 6840 section 5.7).
  row("validated, AD not requested", { name: "nobody.trusted.example" }, { bits: "qr rd ra" }, {
    warm: { bits: "qr aa rd ra" },
    aged: true,
  }),
  row("validated, AD in the query", { name: "ad.trusted.example", bits: "rd ad" }, {
    bits: "qr rd ra ad",
  }, { warm: { bits: "qr aa rd ra ad" }, aged: true }),
  row("validated, DO in the query", { name: "a.trusted.example", edns: DO }, {
    bits: "qr rd ra ad",
    counts: "2/0/0",
    opt: TOLD,
  }, { warm: { bits: "qr aa rd ra ad" }, aged: true }),
  row("validated, AD in the query and then not", { name: "once.trusted.example", bits: "rd ad" }, {
    bits: "qr rd ra ad",
  }, {
    again: { name: "once.trusted.example" },
    warm: { bits: "qr aa rd ra" },
    aged: true,
  }),
  row("validated, AD in the second query only", { name: "later.trusted.example" }, {
    bits: "qr rd ra",
  }, {
    again: { name: "later.trusted.example", bits: "rd ad" },
    warm: { bits: "qr aa rd ra ad" },
    aged: true,
  }),
  row("validated NXDOMAIN, AD in the query", { name: "nothing.trusted.example", bits: "rd ad" }, {
    ...DENIAL,
    rcode: "NXDOMAIN",
    bits: "qr rd ra ad",
  }, { warm: { bits: "qr aa rd ra ad" }, aged: true }),
  row("AD in the query, an authority that cannot say so", {
    name: "insecure.w.signed.example",
    bits: "rd ad",
  }),
  row("bogus", { name: "bad.bogus.example" }, { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra" }, {
    warmTcp: { bits: "qr aa rd ra" },
    upstream: "always",
  }),
  row("bogus, checking disabled", { name: "cd.bogus.example", bits: "rd cd" }, {
    bits: "qr rd ra cd",
  }, { warm: { bits: "qr aa rd ra cd" }, aged: true }),
  // A validation failure is not sent to a client that validates itself.
  row("bogus, then checking disabled", { name: "both.bogus.example" }, {
    ...EMPTY,
    rcode: "SERVFAIL",
    bits: "qr rd ra",
  }, {
    again: { name: "both.bogus.example", bits: "rd cd" },
    warm: { rcode: "NOERROR", bits: "qr rd ra cd", counts: "1/0/0", ttls: [300] },
    // The second query over TCP finds the entry of the one over UDP.
    warmTcp: { bits: "qr aa rd ra cd" },
    upstream: "unseen",
    aged: true,
  }),
  // An unvalidated answer is not sent to a client that relies on validation.
  row("bogus, checking disabled and then not", { name: "back.bogus.example", bits: "rd cd" }, {
    bits: "qr rd ra cd",
  }, {
    again: { name: "back.bogus.example" },
    warm: { ...EMPTY, rcode: "SERVFAIL", bits: "qr rd ra" },
    warmTcp: { bits: "qr aa rd ra" },
    upstream: "unseen",
    aged: true,
  }),
];
