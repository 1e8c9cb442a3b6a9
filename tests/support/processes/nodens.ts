import { freePort } from "../servers/ports.ts";
import { startProcess, type TestProcess } from "./process.ts";

export const MAIN = new URL("../../../main.ts", import.meta.url).pathname;

/** The start-up line: name, version, runtime. */
export const STARTED = /^.*\bnodens\b.*\d+\.\d+\.\d+.*\bDeno\b.*$/mi;

export interface Nodens extends TestProcess {
  readonly port: number;
  readonly file: string;
  rewrite(corefile: string): void;
}

/** Starts nodens from source (`main`) with a Corefile and waits for its start-up line. */
export async function startNodens(options: {
  corefile(port: number): string;
  args?: string[];
  env?: Record<string, string>;
  main?: string;
}): Promise<Nodens> {
  const port = await freePort();
  const directory = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const file = `${directory}/Corefile`;

  function rewrite(corefile: string): void {
    Deno.writeTextFileSync(`${file}.new`, corefile);
    Deno.renameSync(`${file}.new`, file);
  }

  rewrite(options.corefile(port));
  try {
    const process = await startProcess(Deno.execPath(), {
      args: ["run", "-A", options.main ?? MAIN, "-conf", file, ...options.args ?? []],
      ...(options.env === undefined ? {} : { env: options.env }),
      ready: (output) => STARTED.test(output),
    });
    return {
      pid: process.pid,
      get output() {
        return process.output;
      },
      ended: process.ended,
      port,
      file,
      rewrite,
      async stop() {
        const status = await process.stop();
        Deno.removeSync(directory, { recursive: true });
        return status;
      },
    };
  } catch (error) {
    Deno.removeSync(directory, { recursive: true });
    throw error;
  }
}
