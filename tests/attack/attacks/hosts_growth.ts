import { changed } from "../frame/shipped.ts";
import type { Attack, Stage } from "../frame/attack.ts";

const SIGHUP = 1;
/** The shipped memory limit must allow the first three and refuse the last. */
const NAMES = [20_000, 150_000, 300_000, 1_000_000] as const;
const RELOAD_MS = 5_000;

export const hostsGrowth: Attack = {
  name: "hosts-growth",
  summary: "A block list grows by reloads from 20,000 names to 1,000,000, beyond the memory limit.",
  async beside({ folder, corefile, rewrite, signal, log }: Stage) {
    const path = `${folder}/list`;
    const line = (i: number) => `0.0.0.0 ads${String(i).padStart(7, "0")}.tracker.example\n`;
    const { length } = line(0);
    const all = new TextEncoder().encode(
      Array.from({ length: NAMES.at(-1)! }, (_, i) => line(i)).join(""),
    );
    const hosts = `hosts ${path} {\n        reload 1s\n        fallthrough\n    }`;
    rewrite(changed(corefile, /^\.:53 \{$/gm, `.:53 {\n    ${hosts}`));
    const count = (what: RegExp) => log().match(what)?.length ?? 0;
    let reloads = 0;
    for (const names of NAMES) {
      Deno.writeFileSync(path, all.subarray(0, names * length));
      const before = count(/Reloading complete/g);
      signal(SIGHUP);
      for (const end = performance.now() + RELOAD_MS; performance.now() < end;) {
        if (count(/Reloading complete/g) > before) {
          reloads++;
          break;
        }
        await new Promise((wake) => setTimeout(wake, 20));
      }
    }
    return { reloads, refused: count(/Cannot load .* its previous content is served/g) };
  },
  judge: ({ facts, counted }) => [
    ...(facts.reloads === NAMES.length ? [] : [`${facts.reloads} of ${NAMES.length} reloads`]),
    ...(Number(facts.refused) > 0 && (counted.nodens_hosts_refused_total ?? 0) > 0
      ? []
      : ["what is too large was not refused, or not counted"]),
  ],
};
