/** Makes a data plane hang; exits with 3 once it counts as dead. */
import { withDataPlane } from "../../support/processes/drivers.ts";

const port = Deno.args[0]!;
await withDataPlane({
  driver: "linux",
  corefile: `.:${port} {\n bind 127.0.0.1\n whoami\n}`,
  onDead: (why) => {
    Deno.stdout.writeSync(new TextEncoder().encode(`${why}\n`));
    Deno.exit(3);
  },
}, async (plane) => {
  plane.provoke("hang");
  await new Promise((resolve) => setTimeout(resolve, 30_000));
});
