import assert from "node:assert/strict";
import type { Podman } from "../support/containers/podman.ts";
import type { Network, Where } from "./network.ts";
import { assertConfined, type Confinement } from "./rights.ts";

/** What the cluster's DNS knows. */
export const ANSWERS = {
  "kubernetes.default.svc.cluster.local": "10.96.0.1",
  "example.org": "192.0.2.80",
} as const;

/** Longer than a start takes on a machine that does other things besides. */
const WITHIN_MS = 60_000;
const POLL_MS = 100;
/** Seconds between SIGTERM and SIGKILL. Whoever needs them has no exit code of 0. */
const GRACE = "30";

/** Containers, and the network that they are in. */
export class Site implements AsyncDisposable {
  readonly network: Network;
  readonly #podman: Podman;

  constructor(podman: Podman, network: Network) {
    this.#podman = podman;
    this.network = network;
  }

  /**
   * Runs podman where the cluster's DNS is, or on the node: there are the networks that it makes and
   * removes, and what `exec` runs in a container that has its host's network. It has to succeed.
   */
  podman(args: readonly string[], where: Where = "cluster"): Promise<string> {
    return this.#podman.must(args, { namespace: this.network[where] });
  }

  /** Starts a container. */
  async start(name: string, args: readonly string[]): Promise<void> {
    await this.podman(["run", "--detach", "--name", name, ...args]);
  }

  /** Runs nodens in a container, by its name; returns what it prints. */
  async nodens(container: string, line: string, where: Where = "cluster"): Promise<string> {
    const args = ["exec", container, "nodens", ...line.split(" ")];
    const { code, stdout, text } = await this.#podman.run(args, {
      namespace: this.network[where],
    });
    assert.equal(code, 0, `nodens ${line}: ${text}${code === 0 ? "" : await this.#log(container)}`);
    return stdout;
  }

  /** Does something again and again until it does not fail; after a minute adds the log to why. */
  async until(container: string, attempt: () => Promise<unknown>): Promise<void> {
    const limitMs = performance.now() + WITHIN_MS;
    for (;;) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (performance.now() > limitMs) {
          assert.fail(`${(error as Error).message}\n${await this.#log(container)}`);
        }
      }
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
  }

  /** A container answers what the cluster's DNS knows, over UDP and TCP, within a minute. */
  async assertAnswers(
    container: string,
    from: Where,
    server: string,
  ): Promise<void> {
    for (const transport of ["+notcp", "+tcp"]) {
      for (const [name, address] of Object.entries(ANSWERS)) {
        const ask = async () =>
          assert.equal(
            await this.network.ask(from, server, `${transport} ${name}`),
            `${name}. A ${address}`,
          );
        await this.until(container, ask);
      }
    }
  }

  /** The process of a container has these rights and no others. */
  async assertConfined(container: string, confinement: Confinement): Promise<void> {
    assertConfined(Number(await this.#inspect(container, "{{.State.Pid}}")), confinement);
  }

  /** Stops a container by SIGTERM; it ends with 0, and its log has no error. */
  async stop(container: string): Promise<void> {
    await this.podman(["stop", "--time", GRACE, container]);
    await this.assertStopped(container);
    await this.podman(["rm", container]);
  }

  /** Stops a pod with a container, likewise. */
  async stopPod(pod: string, container: string): Promise<void> {
    await this.podman(["pod", "stop", "--time", GRACE, pod]);
    await this.assertStopped(container);
    await this.podman(["pod", "rm", pod]);
  }

  /** That a container ended by itself, with 0, was never short of memory, and logged no error. */
  async assertStopped(container: string): Promise<void> {
    const state = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.RestartCount}}";
    const log = await this.#log(container);
    assert.equal(await this.#inspect(container, state), "exited 0 false 0", log);
    assert.doesNotMatch(log, /ERROR|panic/i, log);
  }

  /** Ends what is left, and takes the network away: containers keep namespaces, and go first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.podman(["pod", "rm", "--all", "--force", "--time", "0"]);
    await this.podman(["rm", "--all", "--force", "--time", "0"]);
    this.network.remove();
  }

  async #log(container: string): Promise<string> {
    return (await this.#podman.run(["logs", container])).text;
  }

  async #inspect(container: string, format: string): Promise<string> {
    return (await this.podman(["inspect", "--format", format, container])).trim();
  }
}
