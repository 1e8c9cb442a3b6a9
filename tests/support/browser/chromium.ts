import { startProcess } from "../processes/process.ts";
import { DevTools } from "./devtools.ts";
import { BrowserPage } from "./page.ts";

const LISTENING = /DevTools listening on (ws:\S+)/;

/** A headless Chromium with a profile of its own. */
export interface Chromium {
  open(): Promise<BrowserPage>;
  stop(): Promise<void>;
}

/** Starts Chromium, which connects all these names to 127.0.0.1. */
export async function startChromium({ names = [] }: { names?: string[] } = {}): Promise<Chromium> {
  const profile = Deno.makeTempDirSync({ prefix: "nodens_chromium_" });
  const rules = names.map((name) => `MAP ${name} 127.0.0.1`).join(",");
  const process = await startProcess("chromium", {
    args: [
      ...["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`],
      ...["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions"],
      ...["--disable-background-networking", "--disable-component-update", "--mute-audio"],
      ...["--disable-sync", "--disable-default-apps"],
      // Other browsers do not keep public pages from local addresses.
      "--disable-features=OptimizationHints,LocalNetworkAccessChecks",
      ...["--no-proxy-server", `--host-resolver-rules=${rules}`],
      // Root has none, and others need user namespaces. All pages are the tests' own.
      "--no-sandbox",
      "about:blank",
    ],
    env: { HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
    ready: (output) => LISTENING.test(output),
  });
  const tools = await DevTools.open(LISTENING.exec(process.output)![1]!);
  return {
    open: () => BrowserPage.open(tools),
    async stop() {
      await tools.send("Browser.close").catch(() => {});
      await tools.close();
      await process.stop();
      await removeProfile(profile);
    },
  };
}

/** Helper processes may write for a moment longer. */
async function removeProfile(profile: string): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return Deno.removeSync(profile, { recursive: true });
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
