/** Unusual kinds of servers, over real sockets. */
import assert from "node:assert/strict";
import { KINDS } from "./kinds.ts";
import { BURST, CLIENTS, type Row, runBattery } from "./run.ts";
import { makeTable, readTable, replaceTable, withoutTimes } from "./table.ts";
import { skipUnlessCluster } from "../support/servers/cluster_server.ts";
import { Crowd, served } from "../support/servers/crowd.ts";
import { FORWARDERS } from "../support/servers/forwarders.ts";
import { serveKind } from "../support/simulation/kind_server.ts";
import { startNodens } from "../support/processes/nodens.ts";
import * as kinds from "../support/simulation/upstream_kinds.ts";

const DATAGRAM_CLIENTS = ["plain", "EDNS 1232", "DO"] as const;

function outcomesOf(row: Row, clients: readonly (keyof typeof CLIENTS)[]): string[] {
  return clients.flatMap((client) => [...row.cells[client].outcomes]);
}

Deno.test({
  name: "battery: every kind of server with every kind of client",
  ...skipUnlessCluster(...FORWARDERS),
  async fn(t) {
    const rows = await runBattery(KINDS);
    const rowOf = (title: string) => rows.find((row) => row.title === title)!;
    const every = (title: string) => rows.filter((row) => row.title.startsWith(title));

    await t.step("clients over UDP get answers for any EDNS behaviour of the server", () => {
      const odd = [
        ...["leaves OPT out", "drops OPT", "drops options", "drops DO"].map(rowOf),
        ...["FORMERR to", "SERVFAIL to", "NOTIMP to", "REFUSED to", "BADVERS to"].flatMap(every),
      ];
      assert.equal(odd.length, 16);
      for (const row of odd) {
        assert.deepEqual(
          new Set(outcomesOf(row, DATAGRAM_CLIENTS)),
          new Set(["1 record"]),
          row.title,
        );
      }
    });

    await t.step(
      "battery: forty concurrent names over TCP are answered with any number of connections",
      () => {
        const titles = KINDS.slice(
          0,
          KINDS.findIndex(({ title }) => title === "slow to accept") + 1,
        );
        assert.equal(titles.length, 13);
        for (const { title } of titles) assert.equal(rowOf(title).burst, BURST, title);
      },
    );

    await t.step("a truncated answer is passed on if TCP returns nothing better", () => {
      const expected = {
        "TC, no TCP": "TC, 1 record",
        "TC, TCP resets": "TC, 1 record",
        "TC, TCP says nothing": "TC, 1 record",
        "TC over TCP too": "TC, 1 record",
        "TC, header alone, no TCP": "TC",
        "TC, header alone, whole over TCP": "1 record",
        "TC, whole over TCP": "1 record",
      };
      for (const [title, outcome] of Object.entries(expected)) {
        const outcomes = outcomesOf(rowOf(title), DATAGRAM_CLIENTS);
        assert.deepEqual(new Set(outcomes), new Set([outcome]), title);
      }
    });

    await t.step("docs/upstreams.md: the table is correct except for times", () => {
      const page = Deno.readTextFileSync(new URL("../../docs/upstreams.md", import.meta.url));
      const titles = KINDS.map(({ title }) => title);
      const told = readTable(page, titles);
      const found = readTable(replaceTable(page, makeTable(rows)), titles);
      for (const [title, cells] of found) {
        assert.deepEqual(cells.map(withoutTimes), told.get(title)?.map(withoutTimes), title);
      }
    });
  },
});

Deno.test("battery: sixty names reach a server that answers one query per connection", async () => {
  const server = await serveKind(kinds.firstOnly(kinds.answering()));
  const nodens = await startNodens({
    corefile: (port) =>
      `.:${port} {\n bind 127.0.0.1\n forward . ${server.endpoint} {\n force_tcp\n }\n}\n`,
  });
  try {
    const crowd = new Crowd(nodens.port);
    for (let i = 0; i < 60; i++) {
      crowd.ask(`n${i}.example.org`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(served(await crowd.finish(), 1).length, 60);
    // Detected with few repeated queries, then one each.
    assert.ok(server.counts.tcp <= 60 + 12, `${server.counts.tcp} queries`);
  } finally {
    await nodens.stop();
    await server.stop();
  }
});
