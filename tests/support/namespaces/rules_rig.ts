import assert from "node:assert/strict";
import type { RuleOptions } from "../../../src/node/rules/rules.ts";
import { type Backend, KUBE_DNS, NodeRig, type RigNode } from "./node_rig.ts";
import type { TestProcess } from "../processes/process.ts";
import { untilAnswers } from "./node_cache.ts";
import type { StandInOptions } from "./rules_stand_in.ts";

const STAND_IN = new URL("./rules_stand_in.ts", import.meta.url).pathname;
/** Addresses that only the stand-in answers for `NAME`. */
export const OURS = { v4: "192.0.2.77", v6: "2001:db8::77" };
/** The cache's link-local address. */
export const LINK_LOCAL = "169.254.20.10";
export const NAME = "host.example.org";
/** Time to return; nothing is promised. */
const RETURN_MS = 20_000;

export type Family = "v4" | "v6";

/** Adds the cache's addresses to a link, as the node role does. */
async function addAddresses(rig: NodeRig, node: RigNode): Promise<void> {
  const ip = async (...args: string[]) => {
    const { code, stderr } = await rig.exec(node.namespace, "ip", args);
    assert.equal(code, 0, stderr);
  };
  await ip("link", "add", "nodelocaldns", "type", "bridge");
  await ip("link", "set", "nodelocaldns", "up");
  await ip("addr", "add", `${LINK_LOCAL}/32`, "dev", "nodelocaldns");
  await ip("addr", "add", `${KUBE_DNS.v4}/32`, "dev", "nodelocaldns");
  if (rig.ipv6) await ip("addr", "add", `${KUBE_DNS.v6}/128`, "dev", "nodelocaldns", "nodad");
}

/** Starts the stand-in and waits for its rules. */
export async function startStandIn(
  rig: NodeRig,
  node: RigNode,
  changes: Partial<StandInOptions> & { failOpenTo?: RuleOptions["failOpenTo"] } = {},
): Promise<TestProcess> {
  const addresses = [LINK_LOCAL, KUBE_DNS.v4, ...rig.ipv6 ? [KUBE_DNS.v6] : []];
  const { failOpenTo = [], ...rest } = changes;
  const options: StandInOptions = {
    rules: { addresses, port: 53, healthPort: 8080, failOpenTo, tracked: [] },
    failOpen: true,
    redirect: null,
    corefile: `. {
    bind ${addresses.join(" ")}
    hosts {
        ${OURS.v4} ${NAME}
        ${OURS.v6} ${NAME}
    }
}
`,
    ...rest,
  };
  return await rig.startIn(node.namespace, Deno.execPath(), [
    ...["run", "-A", STAND_IN, JSON.stringify(options)],
  ], { ready: (output) => output.includes("READY") });
}

export async function whoAnswers(
  rig: NodeRig,
  namespace: string,
  server: string,
  ...words: string[]
): Promise<"us" | "another" | "nobody"> {
  const reply = await rig.dig(namespace, `@${server}`, NAME, "A", "+time=1", ...words);
  if (reply.answer === null) return "nobody";
  return reply.data.includes(OURS.v4) ? "us" : "another";
}

/** Queries until `who` answers; fails after the promised time. */
export function until(
  who: "us" | "another",
  ask: () => Promise<"us" | "another" | "nobody">,
): Promise<void> {
  return untilAnswers(who, ask, who === "us" ? RETURN_MS : undefined);
}

/** `ip netns exec` has become the process. */
export const signal = (process: TestProcess, name: Deno.Signal) => Deno.kill(process.pid, name);

/** Makes a rig with the cache's addresses on its node. */
export async function inRig(
  options: { backend: Backend; ipv6?: boolean },
  use: (rig: NodeRig, node: RigNode) => Promise<void>,
): Promise<void> {
  await using rig = await NodeRig.create(options);
  const node = rig.nodes[0]!;
  await addAddresses(rig, node);
  await use(rig, node);
}
