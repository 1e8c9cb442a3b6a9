import { PERMISSIONS } from "../../../release/permissions.ts";
import { answerWith, startUpstream } from "./drivers.ts";
import { freePort } from "../servers/ports.ts";
import { MAIN, STARTED } from "./nodens.ts";
import { startProcess, type TestProcess } from "./process.ts";

/** Names for queries to `rollOverRig`. */
export const NAMES = Array.from({ length: 500 }, (_, i) => `n${i}.example.org`);

export function rollOverRig(more = "") {
  const [port, http, upstreamPort] = [freePort(), freePort(), freePort()];
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const upstream = startUpstream(upstreamPort, answerWith("192.0.2.1", 600));
  const file = `${folder}/Corefile`;
  Deno.writeTextFileSync(
    file,
    `.:${port} {
      bind 127.0.0.1
      health 127.0.0.1:${http}
      errors
      cache {
        persist ${folder}/cache
        ${more}
      }
      forward . 127.0.0.1:${upstreamPort}
    }\n`,
  );
  const running: TestProcess[] = [];
  return {
    port,
    http,
    file,
    upstream,
    /** Starts nodens and waits until it serves, or for `ready`. */
    async start(
      args: string[] = [],
      ready = (output: string) => STARTED.test(output),
    ): Promise<TestProcess> {
      const nodens = await startProcess(Deno.execPath(), {
        args: ["run", ...PERMISSIONS, MAIN, "-conf", file, ...args],
        ready,
      });
      running.push(nodens);
      return nodens;
    },
    async end() {
      for (const nodens of running.reverse()) await nodens.stop();
      await upstream.close();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}
