import assert from "node:assert/strict";
import { compileReflection } from "../../bench/kernel/reflect.ts";
import { CLIENT, type Family, frameOf, queryMessage, SERVER } from "../support/kernel/packets.ts";
import { kernelReasons, ProgramRig, VERDICT } from "../support/kernel/program_rig.ts";
import { missing, skipFor } from "../support/run/require.ts";

Deno.test({
  name: "the benchmark's reflection swaps addresses and sets QR",
  ...skipFor([...missing(["clang"]), ...kernelReasons()]),
  async fn() {
    const verdicts = {
      tc_redirect: VERDICT.redirect,
      tc_local: VERDICT.pass,
    } as const;
    for (const [key, verdict] of Object.entries(verdicts)) {
      const rig = await ProgramRig.load(await compileReflection(key as keyof typeof verdicts));
      try {
        for (const family of [4, 6] as Family[]) {
          const frame = frameOf({ family, message: queryMessage({ name: "example.org" }) });
          const expected = frameOf({
            family,
            message: queryMessage({ name: "example.org", flags: 0x8100 }),
            source: SERVER[family],
            destination: CLIENT[family],
            sourcePort: 53,
            port: 40_000,
          });
          const result = rig.run(frame);
          assert.equal(result.verdict, verdict);
          // The checksum stays that of the query.
          const at = family === 4 ? 40 : 60;
          expected.set(frame.subarray(at, at + 2), at);
          assert.deepEqual([...result.packet], [...expected]);
          const other = frameOf({ family, message: queryMessage({ name: "" }), port: 54 });
          assert.deepEqual(rig.run(other).verdict, VERDICT.next);
        }
      } finally {
        rig.close();
      }
    }
  },
});
