import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../src/loading/load.ts";
import { CorefileErrors } from "../../src/corefile/error.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import "../support/engine/all_plugins.ts";

const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("{", "}", "\n", "\n", "import", "(a)", "(b)", "a", "b") },
  {
    weight: 2,
    arbitrary: fc.constantFrom("/f", "*", "/g/*.conf", "{$A}", '"', "#", ",", ".", ":53"),
  },
  { weight: 1, arbitrary: fc.constantFrom("cache", "forward", "hosts", "log", "errors", "bind") },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
);
const soup = fc.array(word, { maxLength: 60 }).map((words) => words.join(" "));

Deno.test("any text results in a configuration or in faults with positions", () => {
  fc.assert(
    fc.property(soup, soup, soup, (text, file, value) => {
      const host = fakeHost({ "/f": file, "/g/x.conf": text }, { A: value });
      try {
        const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, host);
        assert.ok(config.blocks.length > 0);
      } catch (error) {
        assert.ok(error instanceof CorefileErrors, String(error));
        assert.ok(error.errors.length > 0 && error.errors.length <= 101);
        for (const { file, line } of error.errors) assert.ok(file !== "" && line > 0);
      }
    }),
    { numRuns: 500 },
  );
});

/** Texts that a careless reader would expand without end, or read very slowly. */
const BOMBS: Record<string, string> = {
  "opening braces": ". " + "{\n".repeat(200_000),
  "closing braces": "}".repeat(50_000) + "\n}".repeat(50_000),
  "one long word": "x".repeat(5_000_000),
  "a long zone": `${"a.".repeat(500_000)} {\n}\n`,
  "a long number": `. {\n cache ${"1".repeat(1_000_000)}\n}\n`,
  "a long duration": `. {\n cache {\n servfail ${"1".repeat(1_000_000)}\n }\n}\n`,
  "many zones": `${"0.0.0.0/1 ".repeat(2000)} {\n}\n`,
  "unknown directives": ". {\n" + "abcdefgh\n".repeat(200_000) + "}\n",
  "a file that doubles": "import /twice\n",
  "many references": `. {\n log "${"{$A}".repeat(100_000)}"\n}\n`,
  "many words": "a ".repeat(600_000),
  "many brackets": `import ${"[".repeat(1_000_000)}\n`,
};

for (const [name, text] of Object.entries(BOMBS)) {
  Deno.test(`reading is bounded: ${name}`, () => {
    const twice = "import /a*\nimport /a*\n";
    const files = { "/twice": twice, "/a1": "import /b*\nimport /b*\n", "/b1": "x, ".repeat(1000) };
    const host = fakeHost(files, { A: "{$A}" });
    host.readDirectory = () => ["a1", "b1"];
    try {
      loadConfig({ file: "Corefile", text, defaultPort: 53 }, host);
    } catch (error) {
      assert.ok(error instanceof CorefileErrors, String(error));
    }
  });
}
