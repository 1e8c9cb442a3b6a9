import assert from "node:assert/strict";
import { run, serve } from "../serve/scene.ts";
import { askUdp } from "../../support/processes/drivers.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { withFolder } from "../../support/run/folder.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";
import { type UpstreamsAnswer, upstreamsText } from "../../../src/cli/operator/upstreams_text.ts";

Deno.test("upstreams shows, takes out and gives back, over a reload", async () => {
  const [port, one, other] = [freePort(), freePort(), freePort()];
  const server = (port: number) => `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
  const upstreams = `127.0.0.1:${one} 127.0.0.1:${other}`;
  const corefile =
    `.:${port} {\n bind 127.0.0.1\n forward . ${upstreams} {\n  policy sequential\n` +
    ` }\n}\n${server(one)}${server(other)}`;
  await withFolder(async (folder) => {
    const control = `${folder}/control.sock`;
    await serve(corefile, async (out) => {
      const upstreams = (...args: string[]) => run(["upstreams", "-control", control, ...args]);
      const ask = async (name: string) =>
        decode(await askUdp(queryBytes({ name }), { port })).rcode;
      const listed = async () => JSON.parse((await upstreams("-json")).out) as UpstreamsAnswer;
      const replies = async () =>
        (await listed()).forwards[0]!.servers.map(({ replies }) => replies);
      await until(() => [...Deno.readDirSync(folder)].some(({ name }) => name === "control.sock"));
      assert.equal(await ask("a.example.org"), "NOERROR");
      assert.deepEqual(await replies(), [1, 0]);
      const down = await upstreams("down", `127.0.0.1:${one}`);
      assert.match(down.out, DOWN);
      assert.match(out(), /control: upstreams\/set state="down" to="127\.0\.0\.1:\d+" \(from user/);
      assert.match((await run(["reload", "-control", control])).out, /is served/);
      assert.equal(await ask("b.example.org"), "NOERROR");
      assert.deepEqual(await replies(), [1, 1]);
      const table = (await upstreams()).out;
      assert.match(table, /^FORWARD +UPSTREAM +STATE +FOR +P50 .*\n.* up \(down by hand\) /);
      const last = await upstreams("down", `127.0.0.1:${other}`);
      assert.deepEqual([last.code, last.out], [1, ""]);
      assert.match(
        last.err,
        /^nodens upstreams: 127\.0\.0\.1:\d+ is the last upstream in service of/,
      );
      assert.equal((await upstreams("-force", "down", `127.0.0.1:${other}`)).code, 0);
      assert.equal(await ask("c.example.org"), "SERVFAIL");
      assert.match(
        (await upstreams("auto", `127.0.0.1:${one}`)).out,
        /is used as its checks say by/,
      );
      assert.equal(await ask("d.example.org"), "NOERROR");
      const unknown = await upstreams("down", "192.0.2.1");
      assert.match(
        unknown.err,
        /^nodens upstreams: "192\.0\.2\.1" is not an upstream; there is 127/,
      );
    }, { args: ["-control", control] });
  });
});

Deno.test("upstreams: wrong command lines are explained", async () => {
  for (
    const [args, message] of [
      [["down"], /ADDRESS is missing/],
      [["-force", "up", "10.0.0.1"], /-force goes with down only/],
      [["drain", "10.0.0.1"], /unknown state "drain" \(down, up, auto\)/],
    ] as const
  ) {
    const { code, err } = await run(["upstreams", ...args]);
    assert.deepEqual([code, message.test(err)], [2, true], err);
  }
});

const DOWN = /^(127|10)\.0\.0\.\d+:\d+ is not used by forward in \S+, until a restart or "nodens /m;

Deno.test("upstreams: the table shows what was learnt, set and lost", () => {
  const server = {
    to: "10.0.0.10:53",
    state: "up",
    stateSeconds: 7380,
    forced: null,
    latencyMs: { p50: 0.92, p90: 1.8, p99: 12 },
    replies: 4711,
    failures: 2,
    timeouts: 3,
    hedges: 5,
    hedgesWon: 1,
    learnt: {
      edns: "options",
      cookies: "yes",
      case: "kept",
      streams: true,
      connections: { open: 2, pipelines: true, singleUse: false, limit: 20 },
      looping: false,
    },
    lastFailure: { why: "i/o timeout", secondsAgo: 65 },
  } as const;
  const nothing = { open: 0, pipelines: false, singleUse: false, limit: null };
  const other = {
    ...server,
    to: "10.0.0.11:53",
    state: "down",
    forced: { state: "down", used: false },
    latencyMs: null,
    learnt: {
      edns: null,
      cookies: null,
      case: null,
      streams: null,
      connections: nothing,
      looping: true,
    },
    lastFailure: null,
  } as const;
  const text = upstreamsText({
    forwards: [{ place: "Corefile:3", zones: ["."], from: ".", servers: [server, other] }, {
      place: "Corefile:9",
      zones: ["example.org."],
      from: ".",
      servers: [],
    }],
    unused: [{ to: "10.0.0.12:53", state: "down", since: "2026-01-01T00:00:00.000Z" }],
  });
  assert.equal(
    text,
    `
FORWARD       UPSTREAM      STATE                       FOR        P50     P90    P99  REPLIES  FAILURES  TIMEOUTS  HEDGES  WON
.             10.0.0.10:53  up                          2h 3m  0.92 ms  1.8 ms  12 ms     4711         2         3       5    1
.             10.0.0.11:53  down, loops (down by hand)  2h 3m        -       -      -     4711         2         3       5    1
example.org.  (none known)  -                           -            -       -      -        -         -         -       -    -

10.0.0.10:53: EDNS with options, cookies, keeps case, answers over TCP, in any order, 20 connections at most, 2 open
  last failure 1m 5s ago: i/o timeout
10.0.0.11:53: nothing learnt yet
10.0.0.12:53: set to down, but no forward has it
`.trimStart(),
  );
});
