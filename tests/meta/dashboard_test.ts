import assert from "node:assert/strict";
import { runCommand } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { ROOT } from "./sources.ts";

const TEXT = Deno.readTextFileSync(`${ROOT}deploy/grafana/nodens.json`);

async function check(dashboards: readonly string[]): Promise<{ refused: number[]; text: string }> {
  return await withFolder(async (folder) => {
    const model = new URL("./grafana_model.ts", import.meta.url).href;
    // One line each, so that a fault's line identifies the dashboard.
    const lines = dashboards.map((text, i) =>
      `export const n${i}: DashboardJson = ${JSON.stringify(JSON.parse(text))};`
    );
    const file = `${folder}/dashboards.ts`;
    const imported = `import type { DashboardJson } from ${JSON.stringify(model)};`;
    Deno.writeTextFileSync(file, [imported, ...lines, ""].join("\n"));
    const { ok, text } = await runCommand(Deno.execPath(), [
      ...["check", "--quiet", "--config", `${ROOT}deno.json`, "--lock", `${ROOT}dev.lock`],
      ...["--frozen", file],
    ], { env: { NO_COLOR: "1" } });
    const found = [...text.matchAll(/\/dashboards\.ts:(\d+):\d+$/gm)].map(([, at]) => +at! - 2);
    assert.equal(ok, found.length === 0, text);
    return { refused: [...new Set(found)], text };
  });
}

Deno.test("the dashboard has Grafana's types, and faulty dashboards are rejected", async () => {
  const spoil = (right: string, wrong: string) => {
    assert.ok(TEXT.includes(right), right);
    return TEXT.replace(right, wrong);
  };
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
  const every = wrong.map((_, i) => i + 1);
  const { refused, text } = await check([TEXT, ...wrong]);
  assert.deepEqual(refused, every, text);
});
