/**
 * What the node role does, without the rest of it: a data plane that answers, with the rules and the
 * heartbeat beside it, until SIGTERM. It is given all as JSON, says READY once the rules are there,
 * and nothing else unless something is wrong.
 */
import { loadConfig } from "../../../src/loading/load.ts";
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { linuxNodeRules } from "../../../src/node/node_rules.ts";
import type { NodeRulesOptions } from "../../../src/node/node_rules.ts";
import { OWN_MARK } from "../../../src/node/rules/rules.ts";
import { fakeHost } from "../doubles/fake_host.ts";

/** What it is given. */
export interface StandInOptions extends Pick<NodeRulesOptions, "rules" | "failOpen" | "redirect"> {
  corefile: string;
  /** Rules stay at the end. */
  skipTeardown?: boolean;
}

/** How long SIGUSR2 keeps the control plane busy: the rules give up a heartbeat after two seconds. */
const BUSY_MS = 4000;

if (import.meta.main) {
  const options: StandInOptions = JSON.parse(Deno.args[0]!);
  const write = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  const log = (level: string, line: string) => write(`${level} ${line}`);
  const source = { file: "Corefile", text: options.corefile, defaultPort: 53 };
  const plane = new DataPlane(loadConfig(source, fakeHost()).config, {
    driver: "linux",
    mark: OWN_MARK,
    log,
    onDead: (why) => {
      write(why);
      Deno.exit(3);
    },
  });
  plane.bind();
  await plane.start();
  const rules = linuxNodeRules(new SelfChecks([plane]), {
    ...options,
    log,
    count: (type) => write(`counted ${type}`),
  });
  await rules.ensure();
  // The data plane alone hangs, while the control plane goes on.
  Deno.addSignalListener("SIGUSR1", () => plane.provoke("hang"));
  // The control plane alone is kept busy, while the data plane goes on.
  Deno.addSignalListener("SIGUSR2", () => {
    write("BUSY");
    for (const endMs = performance.now() + BUSY_MS; performance.now() < endMs;);
    write("FREE");
  });
  const ended = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGTERM", () => ended.resolve());
  write("READY");
  await ended.promise;
  await (options.skipTeardown ? rules.stop() : rules.remove(6000));
  await plane.stop(2000);
  Deno.exit(0);
}
