import assert from "node:assert/strict";
import type { RuleOptions } from "../../../src/node/rules/rules.ts";
import { type Backend, KUBE_DNS, NodeRig, type RigNode } from "./node_rig.ts";
import type { TestProcess } from "../processes/process.ts";
import type { StandInOptions } from "./rules_stand_in.ts";

const STAND_IN = new URL("./rules_stand_in.ts", import.meta.url).pathname;
/** What the stand-in answers for `NAME`, and nobody else. */
export const OURS = { v4: "192.0.2.77", v6: "2001:db8::77" };
/** The address of the cache that no kube-proxy serves. */
export const LINK_LOCAL = "169.254.20.10";
/** What is asked for. */
export const NAME = "host.example.org";
/** What the rules promise, and what a loaded machine may need longer for a query. */
const PROMISE_MS = 2000;
const SLACK_MS = 3000;
/** Coming back is work for a program; nothing is promised but that it comes. */
const RETURN_MS = 20_000;

/** As the rig names them. */
export type Family = "v4" | "v6";

/** The addresses of the cache on a device of their own, as the node role makes it. */
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

/** Starts the stand-in in a node and waits for its rules. */
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

/** Who answered: us, somebody else, or nobody within a second (`+time=5`: five). */
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

/** Asks until `who` answers. Fails where that takes longer than is promised. */
export async function until(
  who: "us" | "another",
  ask: () => Promise<string>,
): Promise<void> {
  const start = performance.now();
  const limitMs = who === "us" ? RETURN_MS : PROMISE_MS + SLACK_MS;
  for (;;) {
    const asked = performance.now() - start;
    const got = await ask();
    if (got === who) return;
    assert.ok(asked < limitMs, `${got} answers after ${Math.round(asked)} ms`);
  }
}

/** Sends a signal to the process itself, which `ip netns exec` has become. */
export const signal = (process: TestProcess, name: Deno.Signal) => Deno.kill(process.pid, name);

/** Makes a rig whose node has the cache's addresses. */
export async function inRig(
  options: { backend: Backend; ipv6?: boolean },
  use: (rig: NodeRig, node: RigNode) => Promise<void>,
): Promise<void> {
  await using rig = await NodeRig.create(options);
  const node = rig.nodes[0]!;
  await addAddresses(rig, node);
  await use(rig, node);
}
