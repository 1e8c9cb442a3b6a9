/** The program on interfaces of network namespaces, asked by sockets and by whole frames. */
import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { OUTCOMES } from "../../src/engine/kernel/layout.ts";
import type { PROGRAMS } from "../../src/kernel/program/program.ts";
import { queryTcx } from "../../src/sys/bpf/bpf.ts";
import type { Asked } from "../support/kernel/frame_sender.ts";
import { CLIENT, type Family, queryMessage } from "../support/kernel/packets.ts";
import { kernelReasons, type Outcome } from "../support/kernel/program_rig.ts";
import { records } from "../support/kernel/slots.ts";
import { Namespace, namespaceReasons } from "../support/namespaces/namespace.ts";
import { skipFor } from "../support/run/require.ts";

const ATTACHED = new URL("../support/kernel/wire_program.ts", import.meta.url).pathname;
const FRAME_SENDER = new URL("../support/kernel/frame_sender.ts", import.meta.url).pathname;
const RUN = [Deno.execPath(), "run", "-A", "--no-check", "--quiet", "--unstable-net"];
const NAME = "www.example.org";
const GATEWAY = { 4: "10.244.1.1/24", 6: "fd00:1::1/64" } as const;
const POD = { 4: "10.244.1.7/24", 6: "fd00:1::abcd:7/64" } as const;
const SERVED = { 4: "169.254.20.10/32", 6: "fd00:10::10/128" } as const;
const FAMILIES: readonly Family[] = [4, 6];

function reasons(): string[] {
  const found = [...kernelReasons(), ...namespaceReasons()];
  if (found.length > 0) return found;
  try {
    queryTcx(1, "ingress");
    return [];
  } catch (error) {
    return [`TCX: ${(error as Error).message}`];
  }
}

const SKIP = skipFor(reasons());
const ENTRIES = [0, 1].flatMap((endpoint) => [
  { name: NAME, endpoint, ...records(2) },
  { name: "large.example", endpoint, ...records(1, 1151) },
]);

/** A node and a pod with a veth between them; the node's end may be in a bridge. */
class Net {
  readonly node = new Namespace();
  readonly pod = new Namespace();
  readonly #bridge: boolean;

  constructor(bridge: boolean) {
    this.#bridge = bridge;
    const { node, pod } = this;
    node.ip("link", "add", "vp", "type", "veth", "peer", "name", "eth0", "netns", pod.name);
    if (bridge) {
      node.ip("link", "add", "cni0", "type", "bridge");
      node.ip("link", "set", "vp", "master", "cni0");
      node.ip("link", "set", "cni0", "up");
    }
    node.ip("link", "set", "vp", "up");
    pod.ip("link", "set", "eth0", "up");
    for (const family of FAMILIES) {
      const dad = family === 6 ? ["nodad"] : [];
      const gateway = GATEWAY[family].replace(/\/.*/, "");
      node.ip("address", "add", GATEWAY[family], "dev", bridge ? "cni0" : "vp", ...dad);
      node.ip("address", "add", SERVED[family], "dev", "lo", ...dad);
      pod.ip("address", "add", POD[family], "dev", "eth0", ...dad);
      pod.ip(`-${family}`, "route", "add", "default", "via", gateway);
    }
  }

  /** Destination and source of frames from the pod. */
  macs(): number[] {
    const mac = (namespace: Namespace, name: string) =>
      (namespace.json("link", "show", name)[0].address as string).split(":")
        .map((octet) => parseInt(octet, 16));
    return [...mac(this.node, this.#bridge ? "cni0" : "vp"), ...mac(this.pod, "eth0")];
  }

  remove(): void {
    this.node.remove();
    this.pod.remove();
  }
}

/** A program that stays attached until it is ended. */
class Attached {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  constructor(namespace: Namespace, program: keyof typeof PROGRAMS, name: string) {
    this.#child = new Deno.Command("ip", {
      args: namespace.exec(...RUN, ATTACHED, program, name, JSON.stringify(ENTRIES)),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    assert.equal((await this.#lines.next()).value, '"attached"');
  }

  async outcomes(): Promise<Partial<Record<Outcome, number>>> {
    await this.#input.write(new TextEncoder().encode("outcomes\n"));
    const counts: number[] = JSON.parse((await this.#lines.next()).value);
    const entries = OUTCOMES.map((name, i) => [name, counts[i]!] as const);
    return Object.fromEntries(entries.filter(([, count]) => count > 0));
  }

  async end(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#child.status;
    await this.#lines.return?.();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

async function ask(namespace: Namespace, asked: readonly Asked[]): Promise<(string | null)[]> {
  const args = namespace.exec(...RUN, FRAME_SENDER, JSON.stringify(asked));
  return JSON.parse(await mustRun("ip", args));
}

/** The answer, whose TTLs are 300 or, on a slow machine, less. */
function assertAnswer(answer: string | null | undefined, asked: Asked): void {
  assert.ok(answer, `an answer to ${JSON.stringify(asked)}`);
  const bytes = Uint8Array.fromHex(answer);
  const question = asked.message.slice(12);
  assert.deepEqual([...bytes.subarray(0, 4)], [...asked.message.slice(0, 2), 0x81, 0x80]);
  assert.deepEqual([...bytes.subarray(12, 12 + question.length)].slice(0, 8), question.slice(0, 8));
  assert.ok(bytes.length > asked.message.length);
}

const PLACES: { title: string; program: keyof typeof PROGRAMS; at: string; bridge?: true }[] = [
  { title: "a veth, redirected", program: "tc_redirect", at: "vp" },
  { title: "a bridge", program: "tc_redirect", at: "cni0", bridge: true },
  { title: "lo", program: "tc_local", at: "lo" },
];

for (const { title, program, at, bridge = false } of PLACES) {
  Deno.test({
    name: `the program answers on ${title}`,
    ...SKIP,
    async fn() {
      const net = new Net(bridge);
      const attached = new Attached(net.node, program, at);
      try {
        await attached.ready();
        const plain = queryMessage({ name: NAME });
        const large = queryMessage({ name: "Large.Example", edns: {} });
        const messages = [plain, large];
        const asked: Asked[] = FAMILIES.flatMap((family) =>
          messages.map((message) => ({ family, message, connected: at === "lo" }))
        );
        if (at !== "lo") {
          for (const family of FAMILIES) {
            const raw = { interface: "eth0", macs: net.macs(), source: [...CLIENT[family]] };
            for (const message of messages) asked.push({ family, message, raw });
          }
        }
        const answers = await ask(at === "lo" ? net.node : net.pod, asked);
        asked.forEach((one, i) => assertAnswer(answers[i], one));
        assert.deepEqual(await attached.outcomes(), { answered: asked.length });
      } finally {
        await attached.end();
        net.remove();
      }
    },
  });
}

Deno.test({
  name: "the program leaves wrong checksums wrong, and passes tags and packets to be cut on",
  ...SKIP,
  async fn() {
    const net = new Net(false);
    const attached = new Attached(net.node, "tc_redirect", "vp");
    try {
      await attached.ready();
      const message = queryMessage({ name: NAME });
      const wrong = FAMILIES.map((family): Asked => {
        const raw = { interface: "eth0", macs: net.macs(), source: [...CLIENT[family]] };
        return { family, message, raw: { ...raw, wrongSum: true } };
      });
      assert.deepEqual(await ask(net.pod, wrong), [null, null]);
      assert.deepEqual(await attached.outcomes(), { answered: 2 });
      const raw = { interface: "eth0", macs: net.macs(), source: [...CLIENT[4]], tag: true };
      assert.deepEqual(await ask(net.pod, [{ family: 4, message, raw }]), [null]);
      assert.deepEqual(await attached.outcomes(), { answered: 2, form: 1 });
      assert.deepEqual(await ask(net.pod, [{ family: 4, message, twice: true }]), [null]);
      // Its message is not in the packet's first part, where the program looks.
      assert.deepEqual(await attached.outcomes(), { answered: 2, form: 1 });
    } finally {
      await attached.end();
      net.remove();
    }
  },
});
