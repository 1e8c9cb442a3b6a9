/** Holds the dashboard to Grafana's own types, which say what Grafana would load. */
import assert from "node:assert/strict";
import { runCommand } from "../../release/command.ts";
import { withFolder } from "../support/folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TEXT = Deno.readTextFileSync(`${ROOT}deploy/grafana/nodens.json`);

/** What Deno's type checker says of dashboards, the text of each being a literal. */
async function check(...dashboards: string[]): Promise<string[]> {
  return await withFolder(async (folder) => {
    const model = new URL("../support/grafana_model.ts", import.meta.url).href;
    const literals = dashboards.map((text, i) => `export const n${i}: DashboardJson = ${text};\n`);
    const file = `${folder}/dashboards.ts`;
    Deno.writeTextFileSync(
      file,
      `import type { DashboardJson } from ${JSON.stringify(model)};\n${literals.join("")}`,
    );
    const { ok, text } = await runCommand(Deno.execPath(), [
      ...["check", "--quiet", "--config", `${ROOT}deno.json`, "--lock", `${ROOT}dev.lock`],
      ...["--frozen", file],
    ], { env: { NO_COLOR: "1" } });
    const faults = [...text.matchAll(/^TS\d+ \[ERROR\]: (.*)$/gm)].map(([, what]) => what!);
    assert.equal(ok, faults.length === 0, text);
    return faults;
  });
}

Deno.test("the dashboard is what Grafana's types want, and faults would be found", async () => {
  const spoil = (right: string, wrong: string) => {
    assert.ok(TEXT.includes(right), right);
    return TEXT.replace(right, wrong);
  };
  assert.deepEqual(await check(TEXT), []);
  const wrong = [
    spoil('"type": "timeseries"', '"type": "timeserie"'),
    spoil('"fillOpacity"', '"fillOpacitie"'),
    spoil('"mode": "normal"', '"mode": "normally"'),
    spoil('"colorMode": "value"', '"colourMode": "value"'),
    spoil('"legendFormat"', '"legend"'),
    spoil('"unit": "reqps"', '"unit": 1'),
    spoil('"includeAll": true', '"includeAll": "yes"'),
    spoil('"refresh": 2', '"refresh": 9'),
    spoil('"schemaVersion"', '"schema"'),
  ];
  const faults = await check(...wrong);
  assert.equal(faults.length, wrong.length, faults.join("\n"));
});
