import { skipFor } from "../run/require.ts";
import type { Wiring } from "./pod_network.ts";
import { PodRig, podRigReasons } from "./pod_rig.ts";

/** A test in a rig of its own; skipped with reasons if there can be none. */
export function rigTest(
  name: string,
  use: (rig: PodRig) => Promise<void>,
  { wiring = "veth", binaries = [] }: { wiring?: Wiring; binaries?: readonly string[] } = {},
): void {
  Deno.test({
    name: `kernel hits: ${name}`,
    ...skipFor(podRigReasons(...binaries)),
    async fn() {
      const rig = await PodRig.create(wiring);
      try {
        await use(rig);
      } finally {
        await rig.remove();
      }
    },
  });
}
