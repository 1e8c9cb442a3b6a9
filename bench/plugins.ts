/**
 * Cost of plugins in the chain of a cache hit, and of answers that templates make: nanoseconds of the
 * engine alone, without sockets. A hit of the whole server takes 2.5 to 5 microseconds.
 *
 *   deno run -A bench/plugins.ts [--rounds 30]
 */
import { parseArgs } from "node:util";
import { exchangeOf, memoryEngine } from "./memory_engine.ts";
import { print } from "./output.ts";

const NAMES = 500;
const PASSES = 50;
const names = Array.from({ length: NAMES }, (_, i) => `host-${i}.shop.svc.example.org`);
const exchanges = names.map(exchangeOf);

/** The first answers come from `hosts`, later ones from the cache. */
const HIT = `cache\nhosts {\n${names.map((name) => `192.0.2.1 ${name}`).join("\n")}\n}`;
const DENYING = "template ANY A corp.test {\nrcode NXDOMAIN\n}";
const DEEP = "match ^(?:[^.]+\\.){4,}local\\.$\nrcode NXDOMAIN\nfallthrough";
const MADE =
  'match ^host-([0-9]+)\\.\nanswer "{{ .Name }} 60 IN A 192.0.2.{{ index .Match 1 | len }}"';

const CHAINS: readonly (readonly [title: string, directives: string])[] = [
  ["a hit", HIT],
  ["a hit, with header", `header {\nresponse set aa\n}\n${HIT}`],
  ["a hit, with local and chaos", `local\nchaos\n${HIT}`],
  ["a hit, with dns64", `dns64\n${HIT}`],
  ["a hit, with loadbalance", `loadbalance\n${HIT}`],
  ["a hit, with rewrite of another name", `rewrite name corp.test other.test\n${HIT}`],
  ["a hit, with rewrite by a pattern", `rewrite name regex ^corp-(.*)$ {1}.test\n${HIT}`],
  ["a hit, with rewrite of its name", `rewrite name suffix .org. .org.\n${HIT}`],
  ["hosts, without a cache", HIT.replace("cache\n", "")],
  ["hosts, behind a template of another zone", `${DENYING}\n${HIT.replace("cache\n", "")}`],
  [
    "hosts, behind a template that does not match",
    `template ANY ANY {\n${DEEP}\n}\n${HIT.replace("cache\n", "")}`,
  ],
  ["a template's denial", "template ANY ANY example.org {\nrcode NXDOMAIN\n}"],
  ["a template's record", `template IN A example.org {\n${MADE}\n}`],
];

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "30" } },
});
const rounds = Number(flags.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds: "${flags.rounds}" is not a whole number above 0`);
}

/** Nanoseconds per query. */
function measure(ask: (typeof chains)[number]["ask"]): number {
  const beganMs = performance.now();
  for (let pass = 0; pass < PASSES; pass++) for (const exchange of exchanges) ask(exchange);
  return (performance.now() - beganMs) * 1e6 / (PASSES * NAMES);
}

const chains = await Promise.all(CHAINS.map(async ([title, directives]) => ({
  title,
  ask: await memoryEngine(directives),
  lowestNs: Infinity,
})));
for (let round = -2; round < rounds; round++) {
  for (const chain of chains) {
    const ns = measure(chain.ask);
    // Earlier rounds warm up the compiler.
    if (round >= 0) chain.lowestNs = Math.min(chain.lowestNs, ns);
  }
}
print(`Nanoseconds a query, lowest of ${rounds} rounds by turns, Deno ${Deno.version.deno}:\n`);
print("| chain | ns | more than a hit |\n| --- | ---: | ---: |");
const [{ lowestNs: hitNs }] = chains as [(typeof chains)[number]];
for (const { title, lowestNs } of chains) {
  print(`| ${title} | ${lowestNs.toFixed(0)} | ${(lowestNs - hitNs).toFixed(0)} |`);
}
