/**
 * A data plane that answers, with rules and heartbeat, until SIGTERM. Its options are JSON; it
 * prints READY once the rules are installed, and otherwise only errors.
 */
import { loadConfig } from "../../../src/loading/load.ts";
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { linuxNodeRules } from "../../../src/node/node_rules.ts";
import type { NodeRulesOptions } from "../../../src/node/node_rules.ts";
import { OWN_MARK } from "../../../src/node/rules/facts.ts";
import { fakeHost } from "../doubles/fake_host.ts";
import { planeDefaults } from "../processes/plane_defaults.ts";
import "../engine/all_plugins.ts";

export interface StandInOptions extends Pick<NodeRulesOptions, "rules" | "failOpen" | "redirect"> {
  corefile: string;
  skipTeardown?: boolean;
}

/** Time that SIGUSR2 blocks the control plane; a heartbeat is valid for two seconds. */
const BUSY_MS = 4000;

if (import.meta.main) {
  const options: StandInOptions = JSON.parse(Deno.args[0]!);
  const write = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  const log = (level: string, line: string) => write(`${level} ${line}`);
  const source = { file: "Corefile", text: options.corefile, defaultPort: 53 };
  const plane = new DataPlane(loadConfig(source, fakeHost()).config, {
    ...planeDefaults(log),
    driver: "linux",
    mark: OWN_MARK,
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
  // Only the data plane hangs.
  Deno.addSignalListener("SIGUSR1", () => plane.provoke("hang"));
  // Only the control plane is blocked.
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
