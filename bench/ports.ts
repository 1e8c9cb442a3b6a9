/**
 * Measures the cost of a fresh source port per upstream query.
 *
 *   deno run -A bench/ports.ts [--rounds 5]
 */
import { parseArgs } from "node:util";
import { median } from "./measure.ts";
import { buildNative, PORTS_PROGRAM } from "./native.ts";
import { print } from "./output.ts";

const COUNT = 200_000;
const WAYS = [
  "on a socket that stays connected",
  "after connect to AF_UNSPEC and connect (what nodens does)",
  "on a new socket, closed again",
];

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "5" } },
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds: "${flags.rounds}" is not a whole number above 0`);
}

if (buildNative(PORTS_PROGRAM)) {
  const figures = Array.from({ length: rounds }, () => {
    const { stdout, stderr, success } = new Deno.Command(PORTS_PROGRAM, { args: [`${COUNT}`] })
      .outputSync();
    if (success) return new TextDecoder().decode(stdout).trim().split(" ").map(Number);
    throw new Error(`Cannot run "${PORTS_PROGRAM}": ${new TextDecoder().decode(stderr).trim()}`);
  });
  print(`Microseconds to send a query of 45 octets, medians of ${rounds} rounds of ${COUNT}:\n`);
  const medians = WAYS.map((_, i) => median(figures.map((round) => round[i]!)));
  for (const [i, way] of WAYS.entries()) {
    const more = i === 0 ? "" : ` (${(medians[i]! - medians[0]!).toFixed(2)} for the port)`;
    print(`- ${way}: ${medians[i]!.toFixed(2)}${more}`);
  }
}
