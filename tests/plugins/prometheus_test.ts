import assert from "node:assert/strict";
import { COUNTER, CounterBook } from "../../src/engine/counters.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { SeriesBook } from "../../src/metrics/series.ts";
import { a, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { frame, Simulation } from "../support/simulation/simulation.ts";

function exported({ counters }: Simulation, only: RegExp): string[] {
  const book = new SeriesBook();
  book.addSeries(counters.places, counters.values);
  return expose(book, "text").split("\n").filter((line) => only.test(line)).sort();
}

function labelsOf(zone: string, more = ""): string {
  return `{server="dns://:53",zone="${zone}",view=""${more}}`;
}

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
  const query = queryBytes({ name: "www.example.org", type: "A", edns: 1232, dnssecOk: true });
  simulation.openStream().send(frame(query));
  simulation.run(100);
  const org = (more?: string) => labelsOf("example.org.", more);
  const dropped = (more?: string) => labelsOf("dropped", more);
  assert.deepEqual(exported(simulation, /^coredns_dns_(requests|responses|do_requests)_total/), [
    `coredns_dns_do_requests_total${dropped()} 0`,
    `coredns_dns_do_requests_total${org()} 1`,
    `coredns_dns_requests_total${dropped(',proto="udp",family="1",type="AAAA"')} 1`,
    `coredns_dns_requests_total${org(',proto="tcp",family="1",type="A"')} 1`,
    `coredns_dns_requests_total${org(',proto="udp",family="1",type="A"')} 2`,
    `coredns_dns_requests_total${org(',proto="udp",family="1",type="other"')} 1`,
    `coredns_dns_requests_total${org(',proto="udp",family="2",type="A"')} 1`,
    `coredns_dns_responses_total${dropped(',rcode="REFUSED",plugin=""')} 1`,
    `coredns_dns_responses_total${org(',rcode="NOERROR",plugin="cache"')} 2`,
    `coredns_dns_responses_total${org(',rcode="NOERROR",plugin="forward"')} 3`,
  ]);
  // Two were cache hits; the others took the upstream's 20 ms.
  const durations = exported(simulation, /duration_seconds/);
  const duration = "coredns_dns_request_duration_seconds";
  const proxyLabels = '{proxy_name="forward",to="10.0.0.1:53",rcode="NOERROR"}';
  for (
    const line of [
      `${duration}_bucket${org(',le="0.00025"')} 2`,
      `${duration}_bucket${org(',le="0.016"')} 2`,
      `${duration}_count${org()} 5`,
      `coredns_proxy_request_duration_seconds_count${proxyLabels} 3`,
    ]
  ) assert.ok(durations.includes(line), durations.join("\n"));
  const sizes = exported(
    simulation,
    /^coredns_dns_(request|response)_size_bytes_count.*proto="udp"/,
  );
  assert.equal(sizes.filter((line) => line.includes("example.org.")).length, 2);
  assert.ok(sizes.every((line) => line.endsWith(line.includes("dropped") ? " 1" : " 4")));
});

Deno.test("failures have no plugin, dropped queries are counted, internal ones are not", () => {
  const acl = "acl {\n  drop type MX\n }";
  const simulation = new Simulation(`. {\n prometheus\n ${acl}\n forward . 10.0.0.1\n}\n`);
  simulation.upstream("10.0.0.1:53", () => "refuse");
  simulation.ask(queryBytes({ name: "www.example.org", type: "MX" }));
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(5000);
  // The control plane's health probe, of class CH.
  const probe = queryBytes({ name: "health.nodens", type: "TXT" });
  probe.set([0, 3], 12 + 15 + 2);
  assert.equal(simulation.ask(probe).answers.length, 1);
  assert.equal(simulation.counters.values[COUNTER.PROBES], 1);
  assert.equal(simulation.counters.values[COUNTER.REFUSED], 0);
  assert.deepEqual(exported(simulation, /^coredns_dns_responses_total/), [
    `coredns_dns_responses_total${labelsOf(".", ',rcode="NOERROR",plugin="acl"')} 1`,
    `coredns_dns_responses_total${labelsOf(".", ',rcode="SERVFAIL",plugin=""')} 1`,
  ]);
});

Deno.test("a server block without the directive is not counted", () => {
  const simulation = new Simulation(
    "example.org {\n prometheus\n whoami\n}\nexample.net {\n whoami\n}\n",
  );
  for (const [name, count] of [["www.example.net", 0], ["www.example.org", 1]] as const) {
    simulation.ask(queryBytes({ name }));
    assert.equal(exported(simulation, /^coredns_dns_requests_total/).length, count);
  }
});

Deno.test("512 zones of a server block are counted separately, further ones together", () => {
  const zones = Array.from({ length: 600 }, (_, i) => `z${i}.example`);
  const counters = new CounterBook(new SharedArrayBuffer(8 * 65536));
  const corefile = `${zones.join(" ")} {\n prometheus\n whoami\n}\n`;
  const simulation = new Simulation(corefile, { counters });
  for (const name of zones) simulation.ask(queryBytes({ name }));
  const lines = exported(simulation, /^coredns_dns_requests_total/);
  assert.equal(lines.length, 513);
  assert.ok(lines.some((line) => line.includes('zone="other"') && line.endsWith(" 88")));
});

Deno.test("extended response codes of an upstream share one series", () => {
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
  // For clients, such a reply is a failure of the upstream.
  assert.deepEqual(codes("coredns_dns_responses_total"), ["SERVFAIL"]);
});

Deno.test("the loop's lag is measured once a second", () => {
  const simulation = new Simulation(". {\n prometheus\n whoami\n}\n");
  simulation.run(10_000);
  assert.deepEqual(exported(simulation, /^nodens_loop_lag_seconds_(count|sum)/), [
    "nodens_loop_lag_seconds_count 10",
    "nodens_loop_lag_seconds_sum 0",
  ]);
});

Deno.test("counters beyond the capacity are counted, and do not affect the others", () => {
  const book = new CounterBook(new SharedArrayBuffer(8 * 100));
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

Deno.test("a data plane that replaces another continues its counters", () => {
  const buffer = new SharedArrayBuffer(8 * 200);
  const before = new CounterBook(buffer);
  const one = before.counter("one");
  const two = before.histogram("two", { a: "b" }, [1, 2]);
  before.values[one] = 5;
  const known = structuredClone(before.places);
  const unpublished = before.counter("unpublished");
  before.values[unpublished] = 9;
  const after = new CounterBook(buffer, known);
  const three = after.counter("three");
  assert.equal(after.histogram("two", { a: "b" }, [1, 2]), two);
  assert.equal(after.counter("one"), one);
  assert.equal(after.values[one], 5);
  assert.equal(three, unpublished);
  assert.equal(after.values[three], 0);
});
