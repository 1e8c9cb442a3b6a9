/** Whether directives are good or faulty, as CoreDNS says; what differs has its reason. */
import assert from "node:assert/strict";
import { CorefileErrors } from "../../src/corefile/error.ts";
import { loadConfig } from "../../src/loading/load.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { ANSWERS } from "./coredns_verdicts.ts";
import { SERVER } from "./coredns_verdicts_server.ts";
import "../support/engine/all_plugins.ts";

const FILES = { "/etc/own": "", "/srv/own": "" };

const BARE = "nodens reads a number without a unit as seconds, in all durations";
/** Directives on which nodens has another verdict, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "cache {}": "CoreDNS reads {} as the name of a zone, and caches nothing",
  "cache { ; serve_stale 45 ; }": BARE,
  "cache { ; servfail 30 ; }": BARE,
  "errors { ; consolidate 2 .* ; }": BARE,
  "hosts { ; reload 20 ; }": BARE,
  'template IN A { ; answer "{{ .Name }} A {{ .Missing.x }}" ; }':
    "CoreDNS finds the wrong field when a query comes, and answers all with SERVFAIL",
  "health odd:x": "CoreDNS finds the wrong port when it starts to listen",
};

/** The faults of a server block with a directive; null for none. */
function faultsOf(directive: string, keys = "lab.test corp.test ."): string | null {
  const text = `${keys} {\n${directive.replaceAll(" ;", "\n")}\n}\n`;
  try {
    loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost(FILES, {}));
    return null;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    return error.message;
  }
}

for (const [plugin, { good, faulty }] of Object.entries({ ...ANSWERS, ...SERVER })) {
  Deno.test(`${plugin}: directives have the verdict of CoreDNS`, () => {
    const wrong = [
      ...good.map((directive) => ({ directive, isFaulty: false })),
      ...faulty.map((directive) => ({ directive, isFaulty: true })),
    ].flatMap(({ directive, isFaulty }) => {
      const faults = faultsOf(directive);
      const differs = (faults !== null) !== isFaulty;
      return differs === Object.hasOwn(DIFFERENT, directive)
        ? []
        : [`${directive.slice(0, 100)}: ${faults ?? "no fault"}`];
    });
    assert.deepEqual(wrong, []);
  });
}

for (const [plugin, { good, faulty }] of Object.entries({ ...ANSWERS, ...SERVER })) {
  Deno.test(`${plugin}: a block without a good zone has the fault of its zone`, () => {
    for (const directive of [...good, ...faulty]) {
      assert.match(
        faultsOf(directive, "a..b") ?? "",
        /^Corefile:1: Cannot parse name "a\.\.b": it has an empty label$/m,
        directive,
      );
    }
  });
}
