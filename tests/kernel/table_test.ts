/** What the data plane's own writer publishes, the program answers; and the engine's model of it. */
import assert from "node:assert/strict";
import { KernelTable } from "../../src/engine/kernel/table.ts";
import { answerFor, nowMs } from "../support/kernel/stored_answer.ts";
import { mixed, mutated } from "../support/kernel/mutations.ts";
import {
  type Family,
  familyOf,
  frameOf,
  messageAt,
  queryMessage,
} from "../support/kernel/packets.ts";
import { ProgramModel } from "../support/kernel/program_model.ts";
import { ENDPOINTS, kernelReasons, ProgramRig, VERDICT } from "../support/kernel/program_rig.ts";
import { records } from "../support/kernel/slots.ts";
import { seeded } from "../support/run/random.ts";
import { skipFor } from "../support/run/require.ts";

const NAMES = ["www.example.org", "", "x", `${"a".repeat(63)}.${"b".repeat(63)}.example`];
const ROUNDS = 5000;

Deno.test({
  name: "the program, the data plane's table and the engine's model of the program agree",
  ...skipFor(kernelReasons()),
  async fn() {
    const seed = crypto.getRandomValues(new Int32Array(1))[0]!;
    const random = seeded(seed);
    const below = (limit: number) => random() % limit;
    const rig = await ProgramRig.load();
    try {
      const { conf, buckets, small, large } = rig.memories;
      const arrays = {
        conf: conf.buffer as ArrayBuffer,
        buckets: buckets.buffer as ArrayBuffer,
        small: small.buffer as ArrayBuffer,
        large: large.buffer as ArrayBuffer,
      };
      // Memory that nobody has used.
      rig.set("GENERATION", 0);
      const table = new KernelTable(arrays, seed, nowMs());
      const model = new ProgramModel(arrays);
      table.setEndpoints(ENDPOINTS.map(({ address, port }) => ({
        family: address.length === 4 ? 4 : 6,
        bytes: new Uint8Array(address),
        port,
      })));
      table.aliveUntilMs = nowMs() + 60_000;
      let published = 0;
      for (const name of NAMES) {
        for (const endpoint of [0, 1]) {
          const answer = answerFor(name, records(1 + below(30), below(12)));
          answer.endpoint = endpoint;
          answer.key = below(3);
          if (table.put(answer, nowMs()) >= 0) published++;
        }
      }
      assert.equal(published, 2 * NAMES.length);
      let answered = 0;
      for (let i = 0; i < ROUNDS; i++) {
        const question = {
          name: mixed(random, NAMES[below(NAMES.length)]!),
          flags: [0x100, 0x120, 0x110][below(3)]!,
          ...(below(3) === 0 ? {} : { edns: { size: below(3000), dnssecOk: below(3) === 0 } }),
        };
        const family: Family = below(2) === 0 ? 4 : 6;
        let message = [...mutated(random, new Uint8Array(queryMessage(question)), 0)];
        if (message.length < 12) message = queryMessage(question);
        const frame = frameOf({ family, message });
        const payload = new Uint8Array(message);
        const [before, result, after] = [nowMs(), rig.run(frame), nowMs()];
        const what = `seed ${seed}, round ${i}: ${frame.toHex()}`;
        const expected = [before, after].map((ms) =>
          model.answer(payload, family === 4 ? 0 : 1, ms)?.toHex() ?? null
        );
        if (result.verdict === VERDICT.next) {
          assert.ok(expected.includes(null), `${what}: ${result.outcome}, not ${expected}`);
          continue;
        }
        answered++;
        const got = result.packet.subarray(messageAt(familyOf(frame))).toHex();
        assert.ok(expected.includes(got), `${what}: ${got}, not ${expected}`);
      }
      assert.ok(answered > ROUNDS / 50, `${answered} answered`);
      const slots = Array.from({ length: table.slots }, (_, i) => i).filter((i) => table.isUsed(i));
      const counted = slots.map((i) => table.answers(i) + table.answersEdns(i));
      // The program, and the model twice.
      assert.equal(counted.reduce((sum, count) => sum + count), 3 * answered);
      table.clear(nowMs());
      const frame = frameOf({ message: queryMessage({ name: NAMES[0]! }) });
      assert.equal(rig.run(frame).outcome, "absent");
    } finally {
      rig.close();
    }
  },
});
