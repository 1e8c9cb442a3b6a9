import assert from "node:assert/strict";
import type { CommandResult } from "../../release/command.ts";
import type { Podman } from "../support/containers/podman.ts";
import { eventually } from "../support/run/eventually.ts";
import type { Network, Where } from "./network.ts";
import { assertConfined, type Confinement } from "./rights.ts";

export const ANSWERS = {
  "kubernetes.default.svc.cluster.local": "10.96.0.1",
  "example.org": "192.0.2.80",
} as const;

/** Seconds between SIGTERM and SIGKILL. */
const GRACE = "30";

/** Containers and their network. */
export class Site implements AsyncDisposable {
  readonly network: Network;
  readonly #podman: Podman;

  constructor(podman: Podman, network: Network) {
    this.#podman = podman;
    this.network = network;
  }

  podman(args: readonly string[], where: Where = "cluster"): Promise<string> {
    return this.#podman.must(args, { namespace: this.network[where] });
  }

  async start(name: string, args: readonly string[]): Promise<void> {
    await this.podman(["run", "--detach", "--name", name, ...args]);
  }

  async nodens(container: string, line: string, where: Where = "cluster"): Promise<string> {
    const { code, stdout, text } = await this.tryNodens(container, line, where);
    assert.equal(code, 0, `nodens ${line}: ${text}${code === 0 ? "" : await this.log(container)}`);
    return stdout;
  }

  tryNodens(container: string, line: string, where: Where = "cluster"): Promise<CommandResult> {
    const args = ["exec", container, "nodens", ...line.split(" ")];
    return this.#podman.run(args, { namespace: this.network[where] });
  }

  /** Repeats an attempt until it succeeds; after a minute fails with the container's log. */
  async until(container: string, attempt: () => Promise<unknown>): Promise<void> {
    await eventually(attempt, () => this.log(container));
  }

  /** Waits until a container has the cluster DNS's answers, over UDP and TCP. */
  async assertAnswers(container: string, from: Where, server: string): Promise<void> {
    for (const transport of ["+notcp", "+tcp"]) {
      for (const [name, address] of Object.entries(ANSWERS)) {
        await this.until(container, async () => {
          const answer = await this.network.ask(from, server, `${transport} ${name}`);
          assert.equal(answer, `${name}. A ${address}`);
        });
      }
    }
  }

  async assertConfined(container: string, confinement: Confinement): Promise<void> {
    assertConfined(Number(await this.#inspect(container, "{{.State.Pid}}")), confinement);
  }

  async stop(container: string): Promise<void> {
    await this.podman(["stop", "--time", GRACE, container]);
    await this.assertStopped(container);
    await this.podman(["rm", container]);
  }

  async stopPod(pod: string, container: string): Promise<void> {
    await this.podman(["pod", "stop", "--time", GRACE, pod]);
    await this.assertStopped(container);
    await this.podman(["pod", "rm", pod]);
  }

  /** A container ended in order, with enough memory and without logged errors. */
  async assertStopped(container: string): Promise<void> {
    const state = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.RestartCount}}";
    const log = await this.log(container);
    assert.equal(await this.#inspect(container, state), "exited 0 false 0", log);
    assert.doesNotMatch(log, /ERROR|panic/i, log);
  }

  /** Removes containers first: they keep namespaces alive. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.podman(["pod", "rm", "--all", "--force", "--time", "0"]);
    await this.podman(["rm", "--all", "--force", "--time", "0"]);
    this.network.remove();
  }

  async log(container: string): Promise<string> {
    return (await this.#podman.run(["logs", container])).text;
  }

  async #inspect(container: string, format: string): Promise<string> {
    return (await this.podman(["inspect", "--format", format, container])).trim();
  }
}
