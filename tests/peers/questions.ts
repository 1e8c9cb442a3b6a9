/** One question that every client asks nodens and named. */
export interface Question {
  title: string;
  name: string;
  type: string;
  /** Named's expected answer, so that a mistake in the zone is not taken for agreement. */
  status: "NOERROR" | "NXDOMAIN" | "SERVFAIL";
  answers: number;
}

/** All kinds of answers that a cache passes on; names of `tests/support/servers/zones`. */
export const QUESTIONS: readonly Question[] = [
  { title: "address", name: "a.example.org", type: "A", status: "NOERROR", answers: 1 },
  { title: "two addresses", name: "two.example.org", type: "A", status: "NOERROR", answers: 2 },
  { title: "IPv6 address", name: "aaaa.example.org", type: "AAAA", status: "NOERROR", answers: 1 },
  {
    title: "CNAME itself",
    name: "chain1.example.org",
    type: "CNAME",
    status: "NOERROR",
    answers: 1,
  },
  { title: "CNAME chain", name: "chain1.example.org", type: "A", status: "NOERROR", answers: 4 },
  {
    title: "CNAME abroad",
    name: "abroad.example.org",
    type: "AAAA",
    status: "NOERROR",
    answers: 2,
  },
  {
    title: "CNAME to NXDOMAIN",
    name: "dangling.example.org",
    type: "A",
    status: "NXDOMAIN",
    answers: 1,
  },
  {
    title: "CNAME to NODATA",
    name: "nodata-alias.example.org",
    type: "A",
    status: "NOERROR",
    answers: 1,
  },
  {
    title: "TXT with escapes",
    name: "txt.example.org",
    type: "TXT",
    status: "NOERROR",
    answers: 1,
  },
  { title: "TXT over 512", name: "txt600.example.org", type: "TXT", status: "NOERROR", answers: 1 },
  {
    title: "TXT over 1232",
    name: "txt2000.example.org",
    type: "TXT",
    status: "NOERROR",
    answers: 1,
  },
  {
    title: "TXT over 4096",
    name: "txt5000.example.org",
    type: "TXT",
    status: "NOERROR",
    answers: 1,
  },
  { title: "MX", name: "example.org", type: "MX", status: "NOERROR", answers: 2 },
  { title: "SOA", name: "example.org", type: "SOA", status: "NOERROR", answers: 1 },
  { title: "NS", name: "example.org", type: "NS", status: "NOERROR", answers: 1 },
  { title: "SRV", name: "_dns._udp.example.org", type: "SRV", status: "NOERROR", answers: 2 },
  { title: "CAA", name: "caa.example.org", type: "CAA", status: "NOERROR", answers: 1 },
  { title: "NAPTR", name: "naptr.example.org", type: "NAPTR", status: "NOERROR", answers: 1 },
  { title: "HTTPS", name: "https.example.org", type: "TYPE65", status: "NOERROR", answers: 1 },
  {
    title: "unknown type",
    name: "unknown.example.org",
    type: "TYPE65280",
    status: "NOERROR",
    answers: 1,
  },
  { title: "wildcard", name: "any.wild.example.org", type: "A", status: "NOERROR", answers: 1 },
  { title: "mixed case", name: "ANY.wILD.Example.ORG", type: "A", status: "NOERROR", answers: 1 },
  { title: "NXDOMAIN", name: "nothing.example.org", type: "A", status: "NXDOMAIN", answers: 0 },
  {
    title: "NXDOMAIN of the root",
    name: "nothing.invalid",
    type: "A",
    status: "NXDOMAIN",
    answers: 0,
  },
  { title: "NODATA", name: "a.example.org", type: "AAAA", status: "NOERROR", answers: 0 },
  {
    title: "NODATA, unknown type",
    name: "a.example.org",
    type: "TYPE65281",
    status: "NOERROR",
    answers: 0,
  },
  { title: "SERVFAIL", name: "www.broken.example", type: "A", status: "SERVFAIL", answers: 0 },
];
