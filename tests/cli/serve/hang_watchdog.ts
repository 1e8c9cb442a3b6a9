/**
 * Makes a data plane hang with a watchdog of 0.3 s; exits with 3 once it counts as dead. A separate
 * process, because such a thread ends only with its process.
 */
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { ServiceManager } from "../../../src/control/service/service_manager.ts";
import { withDataPlane } from "../../support/processes/drivers.ts";

const write = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const port = Deno.args[0]!;
await withDataPlane({
  driver: "linux",
  corefile: `.:${port} {\n bind 127.0.0.1\n whoami\n}`,
  onDead: (why) => {
    write(why);
    Deno.exit(3);
  },
}, async (plane) => {
  const manager = new ServiceManager({ log: (level, line) => write(`${level}: ${line}`) });
  manager.ready("serving");
  await new SelfChecks([plane]).watch(manager.watchdog()!);
  await new Promise((resolve) => setTimeout(resolve, 500));
  plane.provoke("hang");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
