/** An entry that is replaced all the time: no answer is made of two, and none is of the past. */
import assert from "node:assert/strict";
import { query } from "../support/kernel/asker.ts";
import { answersOf, type RigNodens } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";
import { placesOf } from "../support/kernel/same_answer.ts";

const CHURN_MS = 6_000;
/** Ten addresses of equal octets, whose value grows with each answer of the upstream. */
const NAME = "wl0.kernel.example";
const CLIENTS = 6;

/** Flushes through the control socket, without the start of a command. */
async function flush(nodens: RigNodens): Promise<void> {
  using connection = await Deno.connect({ transport: "unix", path: nodens.control });
  const request = `POST /v1/flush?name=${NAME} HTTP/1.1\r\nHost: nodens\r\nContent-Length: 0\r\n` +
    "Connection: close\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  for await (const chunk of connection.readable) text += new TextDecoder().decode(chunk);
  assert.match(text, /^HTTP\/1\.1 200 /);
}

/** Number of the upstream's answer; throws if this one is made of several. */
function numberOf(answer: Uint8Array | null): number {
  assert.ok(answer !== null, "no answer");
  const { addresses } = placesOf(answer)!;
  const octets = new Set(addresses.flatMap((at) => [...answer.subarray(at, at + 4)]));
  assert.equal(addresses.length, 10);
  assert.equal(octets.size, 1, `made of ${[...octets]}`);
  return [...octets][0]!;
}

rigTest("an entry that is replaced all the time is whole, and never of the past", async (rig) => {
  const nodens = await rig.nodens();
  const first = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, first, NAME);
  const before = await answersOf(nodens);
  const endMs = performance.now() + CHURN_MS;
  const counts = { answers: 0, replaced: 0 };
  const clients = Array.from({ length: CLIENTS }, async (_, n) => {
    const asker = rig.asker(rig.pods[n & 1]!);
    let last = -1;
    while (performance.now() < endMs) {
      const number = numberOf(await asker.ask(query(NAME)));
      // Numbers are modulo 256.
      assert.ok(last < 0 || (number - last & 255) < 128, `${number} after ${last}`);
      last = number;
      counts.answers++;
    }
  });
  const flushing = (async () => {
    while (performance.now() < endMs) {
      const old = numberOf(await first.ask(query(NAME)));
      await flush(nodens);
      const number = numberOf(await first.ask(query(NAME)));
      assert.ok((number - old & 255) > 0 && (number - old & 255) < 128, `${number} after ${old}`);
      counts.replaced++;
      // The kernel answers again.
      for (let i = 0; i < 4; i++) await first.ask(query(NAME));
    }
  })();
  await Promise.all([...clients, flushing]);
  const inKernel = await answersOf(nodens) - before;
  assert.ok(counts.replaced > 100, JSON.stringify(counts));
  assert.ok(inKernel > counts.replaced * 2, `${inKernel} of ${JSON.stringify(counts)}`);
});
