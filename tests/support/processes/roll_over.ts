import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { PERMISSIONS } from "../../../release/permissions.ts";
import { startUpstream } from "./drivers.ts";
import { freePort } from "../servers/ports.ts";
import { a, responseBytes } from "../messages/messages.ts";
import { MAIN, STARTED } from "./nodens.ts";
import { startProcess, type TestProcess } from "./process.ts";

/** Names that the upstream of `house` is asked for. */
export const NAMES = Array.from({ length: 500 }, (_, i) => `n${i}.example.org`);

/** A folder with a Corefile, an upstream, and as many nodens processes as are started. */
export function house(more = "") {
  const [port, http, upstreamPort] = [freePort(), freePort(), freePort()];
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const upstream = startUpstream(upstreamPort, (bytes) => {
    const query = codec.decode(Buffer.from(bytes));
    return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.1", 600)] });
  });
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
    /** Starts one, and waits until it serves or `ready` says so. */
    async start(
      args: string[] = [],
      ready: (output: string) => boolean = (output) => STARTED.test(output),
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
