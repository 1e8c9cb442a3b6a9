import assert from "node:assert/strict";
import { readFilter, readTopQuery } from "../../../src/control/observe/parameters.ts";
import { VerbError } from "../../../src/plugins/verbs.ts";

const ANY = { client: null, zone: null, rcodes: [], slowMs: 0, sample: 1 };
const parameters = (query: string) => new Map(new URLSearchParams(query));

for (
  const [query, filter] of [
    ["", {}],
    ["client=10.0.0.0/8", { client: { address: [10, 0, 0, 0], prefix: 8 } }],
    ["client=192.0.2.1", { client: { address: [192, 0, 2, 1], prefix: 32 } }],
    ["name=Example.org", { zone: "example.org" }],
    ["rcode=SERVFAIL,refused,none,servfail", { rcodes: [2, 5, -1] }],
    ["slow=200&sample=10", { slowMs: 200, sample: 10 }],
  ] as const
) {
  Deno.test(`watch: ?${query} is a filter`, () => {
    assert.deepEqual(readFilter(parameters(query)), { ...ANY, ...filter });
  });
}

for (
  const [read, query, message] of [
    [
      readFilter,
      "client=10.0.0.0/33",
      /^client is "10\.0\.0\.0\/33"; write an address or a network/,
    ],
    [readFilter, "client=10.0.0.0/8/8", /write an address or a network/],
    [readFilter, "client=10.0.0.0/", /write an address or a network/],
    [readFilter, "client=localhost", /write an address or a network/],
    [readFilter, "client=", /write an address or a network/],
    [readFilter, "client=::/129", /write an address or a network/],
    [readFilter, "name=", /^Cannot parse an empty name/],
    [readFilter, `name=${"a".repeat(64)}`, /a label is longer than 63 octets/],
    [readFilter, `name=${"a.".repeat(3000)}`, /longer than 255 octets/],
    [readFilter, `name=${"\u0130".repeat(31)}`, /a label is longer than 63 octets/],
    [readFilter, "rcode=SERVFAIL,", /^rcode is ""; write names like SERVFAIL/],
    [readFilter, "rcode=99", /^rcode is "99"/],
    [readFilter, "slow=60001", /^slow is "60001"; write a whole number from 0 to 60000/],
    [readFilter, "slow=200ms", /^slow is "200ms"/],
    [readFilter, "sample=0", /^sample is "0"; write a whole number from 1/],
    [readFilter, "sample=1e3", /^sample is "1e3"/],
    [readTopQuery, "by=name", /^by is "name"; write one of names, clients, zones, failures, slow/],
    [readTopQuery, "n=101", /^n is "101"; write a whole number from 1 to 100/],
    [readTopQuery, "n=-1", /^n is "-1"/],
    [readTopQuery, "span=day", /^span is "day"; write one of minute, hour/],
    [readTopQuery, "span=__proto__", /^span is/],
  ] as const
) {
  Deno.test(`verbs: ?${query.slice(0, 40)} is refused with the remedy`, () => {
    assert.throws(() => read(parameters(query)), (error) => {
      assert.ok(error instanceof VerbError);
      assert.match(error.message, message);
      assert.ok(error.message.length < 300);
      return true;
    });
  });
}

Deno.test("top: parameters choose lists, entries and span", () => {
  assert.deepEqual(readTopQuery(parameters("by=zones&n=3&span=hour")), {
    lists: ["zones"],
    n: 3,
    span: "hour",
  });
});
