/**
 * A `*.corefiletest` contains a Corefile, a line of dashes, and the result: warnings and the
 * configuration as JSON, or the faults. `=== PATH` begins another file. `UPDATE_GOLDEN=1 deno task
 * test` writes the results; review the difference.
 */
import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import { CorefileErrors } from "../../src/corefile/error.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { compactJson } from "./compact_json.ts";
import "../support/engine/all_plugins.ts";

const FOLDER = new URL("./", import.meta.url);
const ENVIRONMENT = { UPSTREAM: "10.0.0.53", ZONE: "Example.ORG", TWO: "a b", REF: "{$UPSTREAM}" };
const RULE = "----------\n";

function run(input: string): string {
  const [text, ...sections] = input.split(/^(?==== )/m);
  const files = Object.fromEntries(sections.map((section) => {
    const end = section.indexOf("\n");
    return [section.slice(4, end), section.slice(end + 1)];
  }));
  const host = fakeHost(files, ENVIRONMENT);
  try {
    const source = { file: "Corefile", text: text!, defaultPort: 53 };
    const { config, warnings, imports } = loadConfig(source, host);
    const lines = warnings.map((warning) => `warning: ${warning}\n`).join("");
    return `${lines}${compactJson(imports.length > 0 ? { ...config, imports } : config)}\n`;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    return `${error.message}\n`;
  }
}

const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".corefiletest")).sort();

for (const name of names) {
  Deno.test(`corefile: ${name.replace(".corefiletest", "").replaceAll("_", " ")}`, () => {
    const path = new URL(name, FOLDER);
    const content = Deno.readTextFileSync(path);
    const cut = content.indexOf(`\n${RULE}`) + 1;
    assert.ok(cut > 0, "no line of dashes");
    const input = content.slice(0, cut);
    const result = run(input);
    if (Deno.env.get("UPDATE_GOLDEN") === "1") {
      Deno.writeTextFileSync(path, `${input}${RULE}${result}`);
    } else {
      assert.equal(result, content.slice(cut + RULE.length));
    }
  });
}

Deno.test("corefile: golden cases exist", () => assert.ok(names.length >= 60));
