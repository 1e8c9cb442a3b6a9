import assert from "node:assert/strict";
import { COUNTER, CounterBook } from "../../src/engine/counters.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { SeriesBook } from "../../src/metrics/series.ts";
import { a, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { frame, Simulation } from "../support/simulation/simulation.ts";

/** Everything that is exported, a line each, without histograms' buckets. */
function exported({ counters }: Simulation, only: RegExp): string[] {
  const book = new SeriesBook();
  book.addPlaces(counters.places, counters.values);
  return expose(book, "text").split("\n").filter((line) => only.test(line)).sort();
}

const LABELS = 'server="dns://:53",zone="example.org.",view=""';

Deno.test("queries and responses are counted with CoreDNS's labels", () => {
  const simulation = new Simulation("example.org {\n prometheus\n cache\n forward . 10.0.0.1\n}\n");
  simulation.upstream("10.0.0.1:53", (query) => [{
    bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7", 300)] }),
    delayMs: 20,
  }]);
  const ask = (name: string, type: string, client?: string) => {
    simulation.ask(queryBytes({ name, type }), 0, client);
    simulation.run(100);
  };
  ask("www.example.org", "A");
  ask("www.example.org", "A");
  ask("www.example.org", "A", "2001:db8::7");
  ask("www.example.org", "LOC");
  ask("www.example.net", "AAAA");
  const stream = simulation.openStream();
  stream.send(
    frame(queryBytes({ name: "www.example.org", type: "A", edns: 1232, dnssecOk: true })),
  );
  simulation.run(100);
  assert.deepEqual(exported(simulation, /^coredns_dns_(requests|responses|do_requests)_total/), [
    `coredns_dns_do_requests_total{${LABELS.replace("example.org.", "dropped")}} 0`,
    `coredns_dns_do_requests_total{${LABELS}} 1`,
    `coredns_dns_requests_total{${
      LABELS.replace("example.org.", "dropped")
    },proto="udp",family="1",type="AAAA"} 1`,
    `coredns_dns_requests_total{${LABELS},proto="tcp",family="1",type="A"} 1`,
    `coredns_dns_requests_total{${LABELS},proto="udp",family="1",type="A"} 2`,
    `coredns_dns_requests_total{${LABELS},proto="udp",family="1",type="other"} 1`,
    `coredns_dns_requests_total{${LABELS},proto="udp",family="2",type="A"} 1`,
    `coredns_dns_responses_total{${
      LABELS.replace("example.org.", "dropped")
    },rcode="REFUSED",plugin=""} 1`,
    `coredns_dns_responses_total{${LABELS},rcode="NOERROR",plugin="cache"} 2`,
    `coredns_dns_responses_total{${LABELS},rcode="NOERROR",plugin="forward"} 3`,
  ]);
  // Two came at once out of the cache; an upstream took a fiftieth of a second for the others.
  const durations = exported(
    simulation,
    /duration_seconds_(bucket\{.*le="0\.(00025|016)|count|sum)/,
  );
  const zone = `coredns_dns_request_duration_seconds`;
  assert.ok(durations.includes(`${zone}_bucket{${LABELS},le="0.00025"} 2`), durations.join("\n"));
  assert.ok(durations.includes(`${zone}_bucket{${LABELS},le="0.016"} 2`), durations.join("\n"));
  assert.ok(durations.includes(`${zone}_count{${LABELS}} 5`), durations.join("\n"));
  const proxy = `coredns_proxy_request_duration_seconds_count`;
  const to = 'proxy_name="forward",to="10.0.0.1:53",rcode="NOERROR"';
  assert.ok(durations.includes(`${proxy}{${to}} 3`), durations.join("\n"));
  const sizes = exported(
    simulation,
    /^coredns_dns_(request|response)_size_bytes_count.*proto="udp"/,
  );
  assert.equal(sizes.filter((line) => line.includes("example.org.")).length, 2);
  assert.ok(sizes.every((line) => line.endsWith(line.includes("dropped") ? " 1" : " 4")));
});

Deno.test("failures have no plugin, dropped queries are counted, nodens's own are not", () => {
  const simulation = new Simulation(
    ". {\n prometheus\n acl {\n  drop type MX\n }\n forward . 10.0.0.1\n}\n",
  );
  simulation.upstream("10.0.0.1:53", () => "refuse");
  simulation.ask(queryBytes({ name: "www.example.org", type: "MX" }));
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(5000);
  // The query by which the control plane finds out whether it is answered (class CH).
  const probe = queryBytes({ name: "health.nodens", type: "TXT" });
  probe.set([0, 3], 12 + 15 + 2);
  const asked = simulation.ask(probe);
  assert.equal(asked.answers.length, 1);
  assert.equal(simulation.counters.values[COUNTER.PROBES], 1);
  assert.equal(simulation.counters.values[COUNTER.REFUSED], 0);
  const labels = 'server="dns://:53",zone=".",view=""';
  assert.deepEqual(exported(simulation, /^coredns_dns_responses_total/), [
    `coredns_dns_responses_total{${labels},rcode="NOERROR",plugin="acl"} 1`,
    `coredns_dns_responses_total{${labels},rcode="SERVFAIL",plugin=""} 1`,
  ]);
});

Deno.test("a server block without the directive is not counted", () => {
  const simulation = new Simulation(
    "example.org {\n prometheus\n whoami\n}\nexample.net {\n whoami\n}\n",
  );
  simulation.ask(queryBytes({ name: "www.example.net" }));
  assert.deepEqual(exported(simulation, /^coredns_dns_requests_total/), []);
  simulation.ask(queryBytes({ name: "www.example.org" }));
  assert.equal(exported(simulation, /^coredns_dns_requests_total/).length, 1);
});

Deno.test("512 zones of a server block are counted apart, the others together", () => {
  const zones = Array.from({ length: 600 }, (_, i) => `z${i}.example`);
  const counters = new CounterBook(new SharedArrayBuffer(8 * 65536));
  const simulation = new Simulation(`${zones.join(" ")} {\n prometheus\n whoami\n}\n`, {
    counters,
  });
  for (const name of zones) simulation.ask(queryBytes({ name }));
  const lines = exported(simulation, /^coredns_dns_requests_total/);
  assert.equal(lines.length, 513);
  assert.ok(lines.some((line) => line.includes('zone="other"') && line.endsWith(" 88")));
});

Deno.test("extended response codes of an upstream cannot make series without end", () => {
  const simulation = new Simulation(". {\n prometheus\n forward . 10.0.0.1\n}\n");
  let rcode = 100;
  simulation.upstream("10.0.0.1:53", (query) => [{
    bytes: responseBytes(query, { rcode: rcode & 0xf, extendedRcode: rcode >> 4 }),
  }]);
  for (; rcode < 400; rcode++) {
    simulation.ask(queryBytes({ name: `n${rcode}.example.org`, edns: 1232 }));
    simulation.run(50);
  }
  const codes = (name: string) =>
    exported(simulation, new RegExp(`^${name}`)).map((line) => /rcode="(.*?)"/.exec(line)![1]);
  assert.deepEqual(codes("coredns_proxy_request_duration_seconds_count"), ["other"]);
  // To clients, such a reply is the failure of the upstream.
  assert.deepEqual(codes("coredns_dns_responses_total"), ["SERVFAIL"]);
});

Deno.test("the loop's lag is looked at once a second", () => {
  const simulation = new Simulation(". {\n prometheus\n whoami\n}\n");
  simulation.run(10_000);
  assert.deepEqual(exported(simulation, /^nodens_loop_lag_seconds_(count|sum)/), [
    "nodens_loop_lag_seconds_count 10",
    "nodens_loop_lag_seconds_sum 0",
  ]);
});

Deno.test("counters that find no room are counted, and harm no others", () => {
  const buffer = new SharedArrayBuffer(8 * 100);
  const book = new CounterBook(buffer);
  const first = book.counter("a");
  const indexes = new Set(Array.from({ length: 100 }, (_, i) => book.counter("b", { i: `${i}` })));
  const wasted = book.histogram("c", {}, [1, 2, 3]);
  book.values[wasted + 4]! += 1;
  assert.equal(book.values.length, 100);
  assert.equal(book.places.length, 36);
  assert.equal(indexes.size, 36);
  assert.equal(book.values[COUNTER.WITHOUT_ROOM], 66);
  assert.equal(book.values[first], 0);
});

Deno.test("a data plane that takes another's place goes on counting in the same places", () => {
  const buffer = new SharedArrayBuffer(8 * 200);
  const before = new CounterBook(buffer);
  const one = before.counter("one");
  const two = before.histogram("two", { a: "b" }, [1, 2]);
  before.values[one] = 5;
  const known = structuredClone(before.places);
  const untold = before.counter("untold");
  before.values[untold] = 9;
  const after = new CounterBook(buffer, known);
  // Asked for in another order, as it happens where series are made when they are first needed.
  const three = after.counter("three");
  assert.equal(after.histogram("two", { a: "b" }, [1, 2]), two);
  assert.equal(after.counter("one"), one);
  assert.equal(after.values[one], 5);
  assert.equal(three, untold);
  assert.equal(after.values[three], 0);
});
