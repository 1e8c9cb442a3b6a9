import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import { CorefileErrors } from "../../src/corefile/error.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { seeded } from "../support/run/random.ts";
import "../support/engine/all_plugins.ts";

const WORDS = [
  ...`{ } { } . example.org :53 a:1, (s) import s f * cache forward 10.0.0.1 hosts whoami log errors
    bind lo debug success denial 9984 prefetch 10% 5 -1 1h fallthrough " \\ # {$A} {%A%} except policy
    random consolidate class all 10.0.0.0/9 tls://x tls://9.9.9.9%a.example:853 https://[::1]:443
    dns.example.org:53 /srv/f tls resolver hedge max_age health reload`.split(/\s+/),
  ...["\n", "\n", "\n", "\n", "\t", "\u200b", "\u00e9", "x".repeat(70)],
];

/**
 * Loads Corefiles of random words. Oracles: only `CorefileErrors` are thrown, every fault has a
 * position, and an accepted configuration survives JSON.
 */
export function fuzzCorefile(seed: number, iterations: number): void {
  const dice = seeded(seed);
  const soup = () =>
    Array.from({ length: dice() % 40 }, () => WORDS[dice() % WORDS.length]!)
      .join(dice() % 4 === 0 ? "" : " ");
  for (let i = 0; i < iterations; i++) {
    const host = fakeHost({ "/srv/f": soup(), "/srv/g": soup() }, { A: soup() });
    try {
      const source = { file: "Corefile", text: soup(), defaultPort: 53 };
      const { config } = loadConfig(source, host);
      assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
    } catch (error) {
      assert.ok(error instanceof CorefileErrors, `seed ${seed}, iteration ${i}: ${error}`);
      for (const { line, file } of error.errors) assert.ok(line > 0 && file !== "");
    }
  }
}
