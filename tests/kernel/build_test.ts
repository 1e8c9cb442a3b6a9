import assert from "node:assert/strict";
import {
  clangVersion,
  compilePrograms,
  generate,
  GENERATED,
} from "../../release/kernel_program.ts";
import { CLANG } from "../../src/kernel/program/program.ts";
import { answerTo, sumsAgree, withoutSums } from "../support/kernel/model.ts";
import { type Family, frameOf, queryMessage } from "../support/kernel/packets.ts";
import { ENDPOINTS, kernelReasons, ProgramRig, VERDICT } from "../support/kernel/program_rig.ts";
import { records } from "../support/kernel/slots.ts";
import { missing, skipFor } from "../support/run/require.ts";

Deno.test({
  name: "the generated program is what clang makes of its source",
  ...skipFor(missing(["clang"])),
  async fn() {
    const version = await clangVersion();
    if (version === CLANG) {
      assert.equal(Deno.readTextFileSync(GENERATED), await generate());
      return;
    }
    // Other instructions, in the same file otherwise.
    const frame = (text: string) => text.replace(/^ +(?:"[\w+/=]+"|\{ at: .*\}),\n/gm, "");
    const generated = Deno.readTextFileSync(GENERATED).replace(CLANG, version);
    assert.equal(frame(generated), frame(await generate()));
  },
});

Deno.test({
  name: "the program as clang makes it here is loaded and answers",
  ...skipFor([...missing(["clang"]), ...kernelReasons()]),
  async fn() {
    for (const [name, program] of Object.entries(await compilePrograms())) {
      const rig = await ProgramRig.load(program);
      try {
        for (const family of [4, 6] as Family[]) {
          const entry = { name: "example.org", endpoint: family === 4 ? 0 : 1, ...records(9, 3) };
          rig.publish(entry);
          const message = queryMessage({ name: "Example.org", edns: {} });
          const frame = frameOf({ family, message });
          const { packet, verdict } = rig.run(frame);
          // No socket has sent it.
          if (name === "tc_local") {
            assert.equal(verdict, VERDICT.next);
            continue;
          }
          assert.equal(verdict, VERDICT.redirect, name);
          const expected = answerTo(frame, { endpoints: ENDPOINTS, entries: [entry] }, 300);
          assert.deepEqual([...withoutSums(packet)], [...expected!], name);
          assert.ok(sumsAgree(frame, packet), name);
        }
      } finally {
        rig.close();
      }
    }
  },
});
