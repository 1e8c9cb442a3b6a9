/** One question that every client asks nodens and named. */
export interface Question {
  title: string;
  name: string;
  type: string;
  /** Named's expected answer, so that a mistake in the zone is not taken for agreement. */
  status: "NOERROR" | "NXDOMAIN" | "SERVFAIL";
  answers: number;
}

const ROWS = [
  ["address", "a.example.org", "A", "NOERROR", 1],
  ["two addresses", "two.example.org", "A", "NOERROR", 2],
  ["IPv6 address", "aaaa.example.org", "AAAA", "NOERROR", 1],
  ["CNAME itself", "chain1.example.org", "CNAME", "NOERROR", 1],
  ["CNAME chain", "chain1.example.org", "A", "NOERROR", 4],
  ["CNAME abroad", "abroad.example.org", "AAAA", "NOERROR", 2],
  ["CNAME to NXDOMAIN", "dangling.example.org", "A", "NXDOMAIN", 1],
  ["CNAME to NODATA", "nodata-alias.example.org", "A", "NOERROR", 1],
  ["TXT with escapes", "txt.example.org", "TXT", "NOERROR", 1],
  ["TXT over 512", "txt600.example.org", "TXT", "NOERROR", 1],
  ["TXT over 1232", "txt2000.example.org", "TXT", "NOERROR", 1],
  ["TXT over 4096", "txt5000.example.org", "TXT", "NOERROR", 1],
  ["MX", "example.org", "MX", "NOERROR", 2],
  ["SOA", "example.org", "SOA", "NOERROR", 1],
  ["NS", "example.org", "NS", "NOERROR", 1],
  ["SRV", "_dns._udp.example.org", "SRV", "NOERROR", 2],
  ["CAA", "caa.example.org", "CAA", "NOERROR", 1],
  ["NAPTR", "naptr.example.org", "NAPTR", "NOERROR", 1],
  ["HTTPS", "https.example.org", "TYPE65", "NOERROR", 1],
  ["unknown type", "unknown.example.org", "TYPE65280", "NOERROR", 1],
  ["wildcard", "any.wild.example.org", "A", "NOERROR", 1],
  ["mixed case", "ANY.wILD.Example.ORG", "A", "NOERROR", 1],
  ["NXDOMAIN", "nothing.example.org", "A", "NXDOMAIN", 0],
  ["NXDOMAIN of the root", "nothing.invalid", "A", "NXDOMAIN", 0],
  ["NODATA", "a.example.org", "AAAA", "NOERROR", 0],
  ["NODATA, unknown type", "a.example.org", "TYPE65281", "NOERROR", 0],
  ["SERVFAIL", "www.broken.example", "A", "SERVFAIL", 0],
] as const;

/** All kinds of answers that a cache passes on; names of `tests/support/servers/zones`. */
export const QUESTIONS: readonly Question[] = ROWS.map(([title, name, type, status, answers]) => ({
  title,
  name,
  type,
  status,
  answers,
}));
