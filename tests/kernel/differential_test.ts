/**
 * The same queries to a nodens with kernel hits and to one without: their answers are equal octet
 * for octet, and TTLs differ by a second at most, while entries expire, change, are flushed and
 * reloaded. What the kernel has answered is read from the metrics.
 */
import assert from "node:assert/strict";
import { fuzzedNames } from "../support/kernel/fuzzed_query.ts";
import { Comparison } from "../support/kernel/compare.ts";
import { growth } from "../support/kernel/metrics.ts";
import { SERVED } from "../support/kernel/pod_network.ts";
import { DIRECTIVES, PodRig, podRigReasons, type RigNodens } from "../support/kernel/pod_rig.ts";
import { seeded } from "../support/run/random.ts";
import { skipFor } from "../support/run/require.ts";

/** In all; another number by `NODENS_FUZZED_QUERIES`. */
const QUERIES = Number(Deno.env.get("NODENS_FUZZED_QUERIES") ?? 120_000);
const SEED = Number(Deno.env.get("NODENS_FUZZED_SEED") ?? 1);
/** "off" tries the comparison itself: both sides answer in userland. */
const KERNEL_HITS = Deno.env.get("NODENS_KERNEL_HITS") ?? "auto";
const ANSWERS = "nodens_kernel_answers_total";
const PASSES = "nodens_kernel_passes_total";
/** Clients a side, half of them over IPv6: each has a receive buffer of its own. */
const CLIENTS = 8;

/** `least`: share of all queries that the kernel must have answered. */
const FEW = { names: 40, cache: "cache 3600", evicts: false, least: 0.3 };
/** More than there is room for, so that slots are used again and again. */
const MANY = {
  names: 3000,
  cache: "cache 3600 {\n success 1024 3600\n denial 256 3600\n }",
  evicts: true,
  least: 0.01,
};
const WAYS = [
  { title: "from pods on veths", wiring: "veth", from: "pod", share: 0.5, ...FEW },
  { title: "from pods on a bridge", wiring: "bridge", from: "pod", share: 0.2, ...FEW },
  { title: "from the node", wiring: "veth", from: "node", share: 0.1, ...FEW },
  { title: "for too many names", wiring: "veth", from: "pod", share: 0.2, ...MANY },
] as const;

for (const [i, { title, wiring, from, share, names, cache, evicts, least }] of WAYS.entries()) {
  Deno.test({
    name: `kernel hits: fuzzed queries ${title} get the answers of userland`,
    ...skipFor(podRigReasons()),
    async fn() {
      const dice = seeded(SEED * 100 + i);
      const rig = await PodRig.create(wiring);
      try {
        const kernel = await rig.nodens({
          side: 0,
          kernelHits: KERNEL_HITS === "off" ? null : KERNEL_HITS,
          directives: directivesWith(cache),
        });
        const userland = await rig.nodens({
          side: 1,
          kernelHits: null,
          directives: directivesWith(cache),
        });
        const clients = (side: 0 | 1) =>
          Array.from({ length: CLIENTS }, (_, n) => {
            const pod = from === "pod" ? rig.pods[n >> 1 & 1]! : null;
            return rig.asker(pod, SERVED[n & 1 ? "v6" : "v4"][side]);
          });
        const compared = { kernel: clients(0), userland: clients(1) };
        if (KERNEL_HITS !== "off") await rig.untilInKernel(kernel, compared.kernel[0]!);
        const before = await kernel.samples();
        const comparison = new Comparison(compared, fuzzedNames(names, dice), { dice, evicts });
        await goThrough(rig, [kernel, userland], comparison, Math.ceil(QUERIES * share), cache);
        const { asked, equal, silent, raced, askedAgain, different, differences } =
          comparison.outcome;
        const after = await kernel.samples();
        const [inKernel, passes] = [ANSWERS, PASSES].map((name) => growth(before, after, [name]));
        const answers = Object.values(inKernel!).reduce((total, count) => total + count, 0);
        say(
          `${title}: ${asked} queries, ${equal} answers equal, ${silent} times both silent, ` +
            `${raced} without AA, ${askedAgain} asked again, ${answers} answered by the kernel\n${
              JSON.stringify(passes)
            }`,
        );
        assert.equal(different, 0, `${different} differ:\n${differences.join("\n")}`);
        assert.ok(raced <= asked / 12, `${raced} of ${asked} lack AA`);
        assert.ok(askedAgain <= asked / 50, `${askedAgain} of ${asked} were asked again`);
        if (KERNEL_HITS !== "off") assert.ok(answers >= asked * least, `${answers}`);
      } finally {
        await rig.remove();
      }
    },
  });
}

/** Asks while the world changes around both. */
async function goThrough(
  rig: PodRig,
  both: readonly RigNodens[],
  comparison: Comparison,
  queries: number,
  cache: string,
): Promise<void> {
  const [first, others] = [Math.ceil(queries * 0.44), Math.ceil(queries * 0.08)];
  const each = (act: (nodens: RigNodens) => Promise<void>) => Promise.all(both.map(act));
  await comparison.run(first);
  // Meanwhile one side may know what the other has forgotten: the data are equal, TTLs are not.
  await Promise.all([comparison.run(others, { relaxed: true }), each((one) => one.flush("-all"))]);
  await each((one) => one.flush("-all"));
  await comparison.run(others);
  await each((one) => one.flush("kernel.example/"));
  await comparison.run(others);
  await Promise.all([comparison.run(others, { relaxed: true }), each((one) => one.reload())]);
  // The same names have other data from now on.
  rig.upstream.epoch++;
  await each((one) => one.flush("-all"));
  await comparison.run(others);
  // Another limit, another set of flags.
  for (const one of both) one.rewrite(`bufsize 700\n  ${directivesWith(cache)}`);
  await each((one) => one.reload());
  await comparison.run(others);
  for (const one of both) one.rewrite(directivesWith("cache 20"));
  await each((one) => one.reload());
  await each((one) => one.flush("-all"));
  await comparison.run(others, { relaxed: true });
}

function directivesWith(cache: string): string {
  return DIRECTIVES.replace("cache 3600", cache);
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
