/**
 * Attacks on nodens as shipped, each beside a well-behaved client. Arguments follow `--`: `--only
 * NAME` (repeatable), `--seconds N`, and `--check` to check latencies too.
 */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { namespaceReasons } from "../support/namespaces/namespace.ts";
import { missing, skipFor } from "../support/run/require.ts";
import { attackNamed, ATTACKS } from "./attacks.ts";
import { MemoryGroup } from "./frame/memory_group.ts";
import { runAttack, SECONDS, type Verdict } from "./frame/run.ts";
import { type Row, table } from "./frame/table.ts";

/** Idle measurement if latencies are not checked. */
const IDLE_SECONDS = 0.5;
/** Other programs may make an attack slow. */
const TRIES = 3;

const { values: { only, seconds, check } } = parseArgs({
  args: Deno.args,
  options: {
    only: { type: "string", multiple: true },
    seconds: { type: "string", default: String(SECONDS.default) },
    check: { type: "boolean", default: false },
  },
});
const duration = Number(seconds);
if (!(duration >= SECONDS.min && duration <= SECONDS.max)) {
  throw new RangeError(`Cannot attack for "${seconds}": ${SECONDS.min} to ${SECONDS.max} seconds`);
}
const attacks = only === undefined ? ATTACKS : only.map(attackNamed);
const programs = ["unshare", "setpriv", "prlimit", "nice", "chrt", "mkfifo", "unbound"];
const reasons = [
  ...namespaceReasons(),
  ...await MemoryGroup.reasons(),
  ...missing(programs),
];
const skip = skipFor(reasons);
const rows: Row[] = [];

for (const attack of attacks) {
  Deno.test({
    name: `${attack.name}: ${attack.summary}`,
    ...skip,
    async fn() {
      let verdict: Verdict;
      try {
        verdict = await perform(() =>
          runAttack(attack, {
            seconds: duration,
            ...(check ? {} : { idleSeconds: IDLE_SECONDS }),
          })
        );
      } catch (error) {
        rows.push({ name: attack.name, verdict: (error as Error).message });
        throw error;
      }
      rows.push({ name: attack.name, verdict });
      const { faults, slow, outcome } = verdict;
      assert.deepEqual(check && slow !== null ? [...faults, slow] : faults, [], outcome.log);
    },
  });
}

Deno.test.afterAll(() => {
  if (rows.length > 0) Deno.stdout.writeSync(new TextEncoder().encode(`\n${table(rows)}\n`));
});

async function perform(run: () => Promise<Verdict>): Promise<Verdict> {
  for (let tries = 1;; tries++) {
    const verdict = await run();
    if (verdict.slow === null || verdict.faults.length > 0 || !check || tries === TRIES) {
      return verdict;
    }
  }
}
