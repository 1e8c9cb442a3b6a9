import assert from "node:assert/strict";
import { guarded, refuseForeign } from "../../../src/control/endpoints/http/local_guard.ts";
import { textReply } from "../../../src/control/endpoints/http/message.ts";

const LOCAL = [
  ...["localhost", "localhost:9253", "LocalHost:1", "127.0.0.1", "127.0.0.1:9253", "127.9.9.9:8"],
  ...["[::1]", "[::1]:65535", "[0:0:0:0:0:0:0:1]:80"],
];
const FOREIGN = [
  ...["example.org", "example.org:9253", "localhost.example.org", "127.0.0.1.example.org"],
  ...["localhost.", "foo.localhost", "0.0.0.0", "0.0.0.0:9253", "192.0.2.1", "169.254.20.10:9253"],
  ...[
    "[::]",
    "[::ffff:127.0.0.1]",
    "[2001:db8::1]:9253",
    "::1",
    "2130706433",
    "0x7f.0.0.1",
    "127.1",
  ],
  ...["", ":9253", "localhost:123456", "localhost:", "127.0.0.1 ", "localhost, localhost"],
];

for (const host of LOCAL) {
  Deno.test(`local guard: "${host}" is this host`, () => {
    assert.equal(refuseForeign({ headers: new Map([["host", host]]) }), null);
  });
}

for (const host of FOREIGN) {
  Deno.test(`local guard: "${host}" is refused as a name that may be rebound`, () => {
    assert.equal(refuseForeign({ headers: new Map([["host", host]]) })?.status, 403);
  });
}

Deno.test("local guard: an address that others may use has any name, but no other sites", () => {
  const [host, site] = [["host", "node1.example.org:6053"], [
    "sec-fetch-site",
    "cross-site",
  ]] as const;
  assert.equal(refuseForeign({ headers: new Map([host]) }, { local: false }), null);
  assert.equal(refuseForeign({ headers: new Map([host, site]) }, { local: false })?.status, 403);
});

const HEADERS: { title: string; headers: Record<string, string>; refused: boolean }[] = [
  { title: "a program without a browser's headers", headers: {}, refused: false },
  { title: "a typed address", headers: { "sec-fetch-site": "none" }, refused: false },
  { title: "the own page", headers: { "sec-fetch-site": "same-origin" }, refused: false },
  { title: "another site", headers: { "sec-fetch-site": "cross-site" }, refused: true },
  { title: "another port of this host", headers: { "sec-fetch-site": "same-site" }, refused: true },
  { title: "an unknown site", headers: { "sec-fetch-site": "x" }, refused: true },
  { title: "the own origin", headers: { origin: "http://localhost:9253" }, refused: false },
  { title: "another origin", headers: { origin: "http://example.org" }, refused: true },
  { title: "an origin of another port", headers: { origin: "http://localhost:80" }, refused: true },
  { title: "an opaque origin", headers: { origin: "null" }, refused: true },
  {
    title: "an origin that is only claimed to be the own site",
    headers: { origin: "http://example.org", "sec-fetch-site": "same-origin" },
    refused: true,
  },
];

for (const { title, headers, refused } of HEADERS) {
  Deno.test(`local guard: ${title} is ${refused ? "refused" : "answered"}`, () => {
    const all = new Map(Object.entries({ host: "localhost:9253", ...headers }));
    assert.equal(refuseForeign({ headers: all })?.status, refused ? 403 : undefined);
  });
}

Deno.test("local guard: an origin without a host is refused", () => {
  const headers = new Map([["origin", "http://undefined"]]);
  assert.equal(refuseForeign({ headers })?.status, 403);
});

Deno.test("local guard: answers get headers, and keep a policy of their own", () => {
  const policy = "content-security-policy";
  const plain = guarded(textReply(200, "")).headers!;
  assert.match(plain[policy]!, /default-src 'none'/);
  assert.match(plain["cross-origin-resource-policy"]!, /^same-origin$/);
  const own = guarded({ ...textReply(200, ""), headers: { [policy]: "default-src 'self'" } });
  assert.equal(own.headers![policy], "default-src 'self'");
});
