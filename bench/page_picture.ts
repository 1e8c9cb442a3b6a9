/**
 * Makes the pictures of docs/operate.md: the page of a serving nodens, light and dark, after some
 * minutes of queries. Needs chromium.
 *
 *   deno run --lock=dev.lock -A bench/page_picture.ts [--seconds 300]
 */
import { parseArgs } from "node:util";
import { startChromium } from "../tests/support/browser/chromium.ts";
import { a, decode, queryBytes, responseBytes, soa } from "../tests/support/messages/messages.ts";
import { startNodens } from "../tests/support/processes/nodens.ts";
import { startUpstream } from "../tests/support/processes/drivers.ts";
import { freePort } from "../tests/support/servers/ports.ts";
import { print } from "./output.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "300" } } });
const SECONDS = Number(values.seconds);
const FOLDER = new URL("../docs/images/", import.meta.url);
const SIZE = { width: 1160, height: 1010 };
/** Each name half as often as the one before. */
const NAMES = ["api.shop", "www", "db.shop", "mail", "img.cdn", "auth", "search", "log"];
const CLIENTS = 6;
const TICK_MS = 20;
const TTL_SECONDS = 20;
const SILENT = "pay.example.com";

const [upstreamPort, deadPort, httpPort] = [freePort(), freePort(), freePort()];
const upstream = startUpstream(upstreamPort, async (bytes) => {
  const query = decode(bytes);
  const { name } = query.questions![0]!;
  if (name === SILENT) return null;
  await new Promise((wake) => setTimeout(wake, 1 + 12 * Math.random() ** 3));
  return name.endsWith(".org")
    ? responseBytes(query, { answers: [a(name, "192.0.2.7", TTL_SECONDS)] })
    : responseBytes(query, { rcode: 3, authorities: [soa("example.net", TTL_SECONDS)] });
});
const nodens = await startNodens({
  corefile: (port) =>
    `.:${port} {
      bind 127.0.0.1
      prometheus 127.0.0.1:${httpPort}
      errors
      cache 3600
      hosts {
        192.0.2.1 printer.home.arpa
        fallthrough
      }
      forward . 127.0.0.1:${upstreamPort} 127.0.0.1:${deadPort} {
        policy sequential
      }
    }\n`,
  args: ["-control", "off"],
});
const chromium = await startChromium();
try {
  const page = await chromium.open();
  await page.send("Emulation.setScrollbarsHidden", { hidden: true });
  await page.prefer({ scheme: "light", ...SIZE });
  await page.go(`http://127.0.0.1:${httpPort}/`);
  await askFor(SECONDS * 1000);
  for (const scheme of ["light", "dark"] as const) {
    await page.prefer({ scheme, ...SIZE });
    await page.until(`document.getElementById("state").textContent === "Live"`);
    const file = new URL(`page-${scheme}.png`, FOLDER);
    const picture = await page.screenshot();
    Deno.writeFileSync(file, picture);
    print(`${file.pathname}: ${picture.length} bytes\n`);
  }
} finally {
  await chromium.stop();
  await nodens.stop();
  await upstream.close();
}

/** Sends queries of several clients, in waves. */
async function askFor(ms: number): Promise<void> {
  const clients = Array.from(
    { length: CLIENTS },
    (_, i) => Deno.listenDatagram({ transport: "udp", hostname: `127.0.0.${10 + i}`, port: 0 }),
  );
  const readers = clients.map(async (client) => {
    for await (const _answer of client);
  });
  const startMs = performance.now();
  for (let id = 1; performance.now() - startMs < ms;) {
    const wave = 6 + 4 * Math.sin((performance.now() - startMs) / 15_000);
    for (let i = 0; i < wave; i++) {
      const client = clients[Math.floor(CLIENTS * Math.random() ** 2)]!;
      const query = queryBytes({ name: nextName(), id: id++ & 0xffff });
      const to = { transport: "udp", hostname: "127.0.0.1", port: nodens.port } as const;
      await client.send(query, to);
    }
    await new Promise((wake) => setTimeout(wake, TICK_MS));
  }
  for (const client of clients) client.close();
  await Promise.all(readers);
}

function nextName(): string {
  const die = Math.random();
  if (die < 0.0005) return SILENT;
  if (die < 0.03) return "printer.home.arpa";
  if (die < 0.08) return `host${Math.floor(Math.random() * 500)}.example.net`;
  if (die < 0.2) return `a${Math.floor(Math.random() * 2000)}.example.org`;
  const rank = Math.min(NAMES.length - 1, Math.floor(-Math.log2(Math.random())));
  return `${NAMES[rank]}.example.org`;
}
