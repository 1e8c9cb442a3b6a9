import assert from "node:assert/strict";
import { watchText } from "../../../src/cli/operator/watch.ts";
import type { WatchLine } from "../../../src/control/observe/watch.ts";

const LINE: WatchLine = {
  time: "2026-01-02T03:04:05.678Z",
  client: "192.0.2.7",
  clientName: null,
  transport: "udp",
  name: "www.example.org.",
  type: "A",
  rcode: "NOERROR",
  answers: 1,
  address: "198.51.100.1",
  ttl: 30,
  source: "cache",
  upstream: "",
  waitedMs: 0,
  reason: "",
};

for (
  const [what, line, text] of [
    ["a hit", {}, "192.0.2.7 A www.example.org. NOERROR 198.51.100.1 ttl 30 cache 0.0 ms"],
    [
      "an answer of an upstream",
      {
        answers: 3,
        source: "upstream",
        upstream: "10.0.0.1:53",
        waitedMs: 12.34,
        transport: "tcp",
      },
      "192.0.2.7 A www.example.org. NOERROR 198.51.100.1 +2 ttl 30 upstream 10.0.0.1:53 12.3 ms tcp",
    ],
    [
      "records without an address",
      { address: "", answers: 2, type: "MX" },
      "192.0.2.7 MX www.example.org. NOERROR 2 records ttl 30 cache 0.0 ms",
    ],
    [
      "a failure",
      {
        rcode: "SERVFAIL",
        answers: 0,
        address: "",
        ttl: null,
        source: "upstream",
        reason: "refused",
      },
      "192.0.2.7 A www.example.org. SERVFAIL upstream 0.0 ms (refused)",
    ],
    [
      "no answer to a client that has gone",
      { rcode: "none", answers: 0, address: "", ttl: null, source: "", client: "" },
      "- A www.example.org. none 0.0 ms",
    ],
    [
      "a client with a name",
      { clientName: "shop/cart-1" },
      "192.0.2.7 shop/cart-1 A www.example.org. NOERROR 198.51.100.1 ttl 30 cache 0.0 ms",
    ],
  ] as const satisfies readonly (readonly [string, Partial<WatchLine>, string])[]
) {
  Deno.test(`watch: the line of ${what}`, () => {
    assert.equal(watchText({ ...LINE, ...line }), `03:04:05.678 ${text}\n`);
  });
}

Deno.test("watch: lost lines are shown", () => {
  assert.match(watchText({ lost: 12 }), /^\(12 lines were lost: .*-sample\)\n$/);
  assert.equal(watchText({ lost: null }), "(some lines were lost)\n");
});
