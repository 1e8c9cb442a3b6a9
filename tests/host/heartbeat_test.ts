import assert from "node:assert/strict";
import { type Beat, Heartbeat, type HeartbeatList } from "../../src/host/heartbeat.ts";

function beat(entry: string, list = "nodens"): Beat {
  return { list, entry, target: { address: entry, port: 53 } };
}

/** Lists in memory; `broken` ones refuse, `missing` ones cannot be opened. */
function fakeLists() {
  const written: string[] = [];
  const broken = new Set<number>();
  const missing = new Set<string>();
  let opened = 0;
  const open = (list: string): HeartbeatList => {
    if (missing.has(list)) throw new Error(`Cannot open "${list}" for writing`);
    const number = ++opened;
    return {
      write(text) {
        if (broken.has(number)) return false;
        written.push(`${list} ${text}`);
        return true;
      },
      close: () => written.push(`${list} closed`),
    };
  };
  return { written, broken, missing, open };
}

Deno.test("an entry is renewed with every answer, and only with an answer", async () => {
  const { written, open } = fakeLists();
  const alive = new Set(["10.96.0.10", "fd00::a"]);
  const changes: string[] = [];
  const heartbeat = new Heartbeat({
    ask: ({ address }) => Promise.resolve(alive.has(address)),
    open,
    onChange: ({ entry }, answers) => changes.push(`${entry} ${answers}`),
  });
  heartbeat.set([beat("10.96.0.10"), beat("fd00::a", "nodens6")]);
  await heartbeat.beat();
  assert.deepEqual(written, ["nodens +10.96.0.10", "nodens6 +fd00::a"]);
  alive.delete("10.96.0.10");
  await heartbeat.beat();
  await heartbeat.beat();
  assert.deepEqual(written.slice(2), ["nodens6 +fd00::a", "nodens6 +fd00::a"]);
  alive.add("10.96.0.10");
  await heartbeat.beat();
  assert.deepEqual(written.slice(4), ["nodens +10.96.0.10", "nodens6 +fd00::a"]);
  assert.deepEqual(changes, [
    "10.96.0.10 true",
    "fd00::a true",
    "10.96.0.10 false",
    "10.96.0.10 true",
  ]);
  heartbeat.stop();
});

Deno.test("an answer that the rules cannot be told of is not reported as one", async () => {
  const { written, missing, open } = fakeLists();
  missing.add("nodens");
  const changes: boolean[] = [];
  const heartbeat = new Heartbeat({
    ask: () => Promise.resolve(true),
    open,
    onChange: (_beat, alive) => changes.push(alive),
  });
  heartbeat.set([beat("10.96.0.10")]);
  await heartbeat.beat();
  assert.deepEqual(changes, []);
  missing.clear();
  await heartbeat.beat();
  assert.deepEqual({ changes, written }, { changes: [true], written: ["nodens +10.96.0.10"] });
  heartbeat.stop();
});

Deno.test("stopping takes the entries out at once, also against an answer under way", async () => {
  const { written, open } = fakeLists();
  const answer = Promise.withResolvers<boolean>();
  const heartbeat = new Heartbeat({ ask: () => answer.promise, open });
  heartbeat.set([beat("10.96.0.10")]);
  const beating = heartbeat.beat();
  heartbeat.stop();
  assert.deepEqual(written, ["nodens -10.96.0.10", "nodens closed"]);
  answer.resolve(true);
  await beating;
  assert.deepEqual(written.length, 2);
});

Deno.test("what another nodens takes over stays", async () => {
  const { written, open } = fakeLists();
  const heartbeat = new Heartbeat({ ask: () => Promise.resolve(true), open });
  heartbeat.set([beat("10.96.0.10")]);
  await heartbeat.beat();
  heartbeat.stop({ handedOver: true });
  await heartbeat.beat();
  assert.deepEqual(written, ["nodens +10.96.0.10", "nodens closed"]);
});

Deno.test("a list that went with its rules and came back is opened again", async () => {
  const { written, broken, missing, open } = fakeLists();
  const faults: string[] = [];
  const heartbeat = new Heartbeat({
    ask: () => Promise.resolve(true),
    open,
    onFault: (list) => faults.push(list),
  });
  heartbeat.set([beat("10.96.0.10")]);
  await heartbeat.beat();
  broken.add(1);
  await heartbeat.beat();
  assert.deepEqual(written, ["nodens +10.96.0.10", "nodens closed", "nodens +10.96.0.10"]);
  assert.equal(heartbeat.faultOf("nodens"), null);
  broken.add(2);
  missing.add("nodens");
  await heartbeat.beat();
  assert.equal(heartbeat.faultOf("nodens"), 'Cannot open "nodens" for writing');
  await heartbeat.beat();
  assert.deepEqual(faults, ["nodens"], "told once");
  missing.clear();
  await heartbeat.beat();
  assert.equal(heartbeat.faultOf("nodens"), null);
  heartbeat.stop();
});

Deno.test("what is kept alive may change; what is none of it any more is taken out", async () => {
  const { written, open } = fakeLists();
  const heartbeat = new Heartbeat({ ask: () => Promise.resolve(true), open });
  heartbeat.set([beat("10.96.0.10"), beat("169.254.20.10")]);
  await heartbeat.beat();
  heartbeat.set([beat("169.254.20.10")]);
  await heartbeat.beat();
  assert.deepEqual(written.slice(2), ["nodens -10.96.0.10", "nodens +169.254.20.10"]);
  heartbeat.stop();
});

Deno.test("a machine on which nothing can be asked is a fault and no answer", async () => {
  const { written, open } = fakeLists();
  const heartbeat = new Heartbeat({
    ask: () => Promise.reject(new Error("Cannot mark a socket")),
    open,
  });
  heartbeat.set([beat("10.96.0.10")]);
  await heartbeat.beat();
  assert.equal(heartbeat.faultOf("nodens"), "Cannot mark a socket");
  assert.deepEqual(written, []);
  heartbeat.stop();
});
