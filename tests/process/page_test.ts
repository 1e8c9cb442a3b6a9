/** The operator's page in a real browser. */
import assert from "node:assert/strict";
import { ATTACK, type Loot, serveAttacker } from "../support/browser/attacker.ts";
import { type Chromium, startChromium } from "../support/browser/chromium.ts";
import type { BrowserPage } from "../support/browser/page.ts";
import { queryBytes } from "../support/messages/messages.ts";
import { askUdp } from "../support/processes/drivers.ts";
import { MAIN, STARTED } from "../support/processes/nodens.ts";
import { startProcess, type TestProcess } from "../support/processes/process.ts";
import { withFolder } from "../support/run/folder.ts";
import { linuxReasons, missing, skipFor } from "../support/run/require.ts";
import { freePort } from "../support/servers/ports.ts";
import { CONTRASTS } from "../support/browser/contrasts.ts";

const ATTACKER = "attacker.example";
const REBOUND = "rebound.example";
/** Would run, close an element, or turn the text around. */
const HOSTILE = ["<img src=x onerror=hacked=1>", "</script><script>hacked=1</script>", "a\u202Eb"];
const BIDI_COMMENT = "# \u202E</pre><img src=x onerror=hacked=1>";

interface Scene {
  chromium: Chromium;
  dns: number;
  http: number;
  url: string;
  nodens: { process: TestProcess; start(): Promise<void> };
  rewrite(corefile: string): void;
  corefile: string;
  ask(...names: string[]): Promise<void>;
}

function test(name: string, use: (scene: Scene) => Promise<void>): void {
  const reasons = [...linuxReasons(), ...missing(["chromium"])];
  Deno.test({ name: `page in Chromium: ${name}`, ...skipFor(reasons), fn: () => run(use) });
}

async function run(use: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const [dns, http] = [freePort(), freePort()];
    const file = `${folder}/Corefile`;
    const corefile = `${BIDI_COMMENT}
      .:${dns} {
        bind 127.0.0.1
        prometheus 127.0.0.1:${http}
        template IN A {
          answer "{{ .Name }} 60 IN A 192.0.2.7"
        }
      }\n`;
    const rewrite = (text: string) => Deno.writeTextFileSync(file, text);
    rewrite(corefile);
    const start = () =>
      startProcess(Deno.execPath(), {
        args: ["run", "-A", "--no-check", MAIN, "-conf", file, "-control", "off"],
        ready: (output) => STARTED.test(output),
      });
    const nodens = {
      process: await start(),
      start: async () => void (nodens.process = await start()),
    };
    const chromium = await startChromium({ names: [ATTACKER, REBOUND] });
    try {
      await use({
        ...{ chromium, dns, http, nodens, rewrite, corefile },
        url: `http://127.0.0.1:${http}/`,
        async ask(...names) {
          for (const name of names) await askUdp(queryBytes({ name }), { port: dns });
        },
      });
    } finally {
      await chromium.stop();
      await nodens.process.stop();
    }
  });
}

const LIVE = "document.getElementById('state').textContent === 'Live'";
const textOf = (id: string) => `document.getElementById("${id}").textContent`;

async function openPage({ chromium, url }: Scene): Promise<BrowserPage> {
  const page = await chromium.open();
  assert.equal(await page.go(url), undefined);
  await page.until(LIVE);
  return page;
}

test("shows live numbers, and hostile names as text", async (scene) => {
  const { ask } = scene;
  await ask("www.example.org", ...HOSTILE.map((label) => `${label}.example.net`));
  const page = await openPage(scene);
  const asking = new AbortController();
  const queries = (async () => {
    while (!asking.signal.aborted) {
      await ask("www.example.org");
      await new Promise((wake) => setTimeout(wake, 20));
    }
  })();
  queries.catch(() => {});
  await page.until(`Number(${textOf("answers")}.replaceAll(",", "")) > 0`);
  await page.until(`document.querySelector("#sources .legend").textContent.includes("template")`);
  await page.until(`/[MLZ]/.test(document.querySelector("#sources .chart path:not(.grid)")
    .getAttribute("d"))`);
  asking.abort();
  await queries;
  const names = await page.value<string>(textOf("names"));
  for (const shown of ["www.example.org.", "<img", "</script>", String.raw`a\226\128\174b`]) {
    assert.ok(names.includes(shown), `${shown} in ${names}`);
  }
  const corefile = await page.value<string>(textOf("text"));
  assert.ok(
    corefile.startsWith(String.raw`# \u{202E}</pre><img src=x onerror=hacked=1>`),
    corefile,
  );
  assert.deepEqual(await page.value("[typeof hacked, document.images.length]"), ["undefined", 0]);
  assert.equal(await page.value("document.scripts.length"), 1);
  assert.deepEqual(page.complaints, []);
});

test("says when its values are stale, and goes on after a restart", async (scene) => {
  const { nodens, rewrite, corefile } = scene;
  const page = await openPage(scene);
  rewrite(corefile.replace("bind 127.0.0.1", "bnid </pre>\u202E"));
  Deno.kill(nodens.process.pid, "SIGHUP");
  await page.until(`${textOf("reload")}.includes("refused")`);
  const faults = await page.value<string>(textOf("faults"));
  assert.match(faults, /unknown directive "?bnid/);
  rewrite(corefile);
  const about = await page.value<string>(textOf("about"));
  assert.deepEqual(page.complaints, []);
  await nodens.process.stop();
  await page.until(`${textOf("state")}.startsWith("Stale")`);
  assert.equal(await page.value(textOf("about")), about);
  await nodens.start();
  await page.until(LIVE);
  await page.until(`${textOf("about")} !== ${JSON.stringify(about)}`);
});

test("can be used with the keyboard, and is told to screen readers", async (scene) => {
  const page = await openPage(scene);
  const focused = () => page.value<string>("document.activeElement.textContent");
  const pressed = () => page.value("document.activeElement.getAttribute('aria-pressed')");
  const order: string[] = [];
  for (let i = 0; i < 3; i++) {
    await page.press("Tab");
    order.push(await focused());
    const outlined = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
    assert.ok(await page.value(outlined), `${order.at(-1)} has no visible focus`);
    if (order.at(-1) !== "Pause") continue;
    await page.press(" ");
    assert.deepEqual([await pressed(), await page.value(textOf("state"))], ["true", "Paused"]);
    await page.press("Enter");
    assert.deepEqual([await pressed(), await page.value(textOf("state"))], ["false", "Live"]);
  }
  assert.deepEqual(order.slice(0, 2), ["Skip to the content", "Pause"]);
  assert.match(order[2]!, /^The Corefile in force: .*Corefile$/);
  await page.press("Enter");
  await page.until("document.getElementById('corefile').open");
  const { nodes } = await page.send("Accessibility.getFullAXTree") as {
    nodes: { role?: { value: string }; name?: { value: string } }[];
  };
  const named = (role: string) =>
    nodes.filter((node) => node.role?.value === role).map((node) => node.name?.value ?? "");
  assert.ok(named("table").includes("Top names"), named("table").join());
  for (const role of ["table", "image", "button", "region"]) {
    assert.deepEqual(named(role).filter((name) => name === ""), [], role);
  }
  assert.equal(named("main").length, 1);
  assert.deepEqual(page.complaints, []);
});

test("has enough contrast in light and dark, and fits a narrow window", async (scene) => {
  await scene.ask("www.example.org");
  const page = await openPage(scene);
  const backs = new Set<string>();
  for (const scheme of ["light", "dark"] as const) {
    await page.prefer({ scheme, width: 400, height: 800 });
    await page.until(`matchMedia("(prefers-color-scheme: ${scheme})").matches`);
    backs.add(await page.value("getComputedStyle(document.body).backgroundColor"));
    const found = await page.value<{ text: string; ratio: number }[]>(CONTRASTS);
    assert.ok(found.length > 50, String(found.length));
    assert.deepEqual(found.filter(({ ratio }) => ratio < 4.5), [], scheme);
    assert.equal(await page.value("document.documentElement.scrollWidth <= innerWidth"), true);
  }
  assert.equal(backs.size, 2);
});

test("gives nothing to other sites, other ports and rebound names", async (scene) => {
  const { chromium, http, url } = scene;
  const port = freePort();
  await using _attacker = serveAttacker(port);
  const own = await openPage(scene);
  for (const host of [`${ATTACKER}:${port}`, `127.0.0.1:${port}`]) {
    const page = await chromium.open();
    for (const target of [`http://127.0.0.1:${http}`, `http://localhost:${http}`]) {
      assert.equal(await page.go(`http://${host}/?target=${target}`), undefined);
      await page.until("window.loot !== undefined");
      assertNothing(await page.value<Loot>("window.loot"), `${host} ${target}`);
    }
    const got = page.responses.filter((one) => new URL(one.url).port === String(http));
    assert.ok(got.length > 0, "nodens has answered");
    assert.deepEqual(got.filter(({ status }) => status !== 403), []);
  }
  assert.equal(await own.value(LIVE), true, url);
});

test("gives nothing to a page whose name leads to nodens by now", async ({ chromium, http }) => {
  const page = await chromium.open();
  // The attacker's server answered before the name was rebound.
  const url = `http://${REBOUND}:${http}/?target=`;
  await page.answerFor(url, ATTACK);
  assert.equal(await page.go(url), undefined);
  await page.until("window.loot !== undefined");
  assertNothing(await page.value<Loot>("window.loot"), REBOUND, /^the host must be/);
  const got = page.responses.filter((one) => one.url !== url && one.url.includes(REBOUND));
  assert.ok(got.length > 0, "nodens has answered");
  assert.deepEqual(got.filter(({ status }) => status !== 403), []);
});

function assertNothing(loot: Loot, title: string, or = /^opaque $/): void {
  assert.ok(Object.keys(loot).length > 10, title);
  for (const [attempt, got] of Object.entries(loot)) {
    assert.ok(/^nothing: /.test(got) || or.test(got), `${title} ${attempt}: ${got}`);
  }
}
