import { addRule } from "./network.ts";
import type { RunningUpstream } from "./upstreams.ts";

/** A way for an upstream to fail. */
export interface Scenario {
  readonly name: string;
  /** Description of the failure. */
  readonly text: string;
  /** Silent, so the promise about dead upstreams applies. */
  readonly dead: boolean;
  /** Requires the proxy. */
  readonly proxied?: boolean;
  inject(upstream: RunningUpstream): void | Promise<void>;
}

const SLOW_MS = 500;
const LOSS = 0.2;

/** The ways to fail, in table order. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "killed",
    text: "kill -9: the kernel refuses what comes for it",
    dead: true,
    inject: ({ server }) => Deno.kill(server.pid, "SIGKILL"),
  },
  {
    name: "paused",
    text: "SIGSTOP: packets are taken and never answered",
    dead: true,
    inject: ({ server }) => Deno.kill(server.pid, "SIGSTOP"),
  },
  {
    name: "blackholed",
    text: "its host drops every packet",
    dead: true,
    inject: ({ site }) => addRule(site, "-j", "DROP"),
  },
  {
    name: "reset",
    text: "its host refuses UDP by ICMP and resets TCP",
    dead: true,
    inject({ site }) {
      addRule(site, "-p", "udp", "-j", "REJECT", "--reject-with", "icmp-port-unreachable");
      addRule(site, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset");
    },
  },
  {
    name: "slow",
    text: `its answers come ${SLOW_MS} ms late`,
    dead: false,
    proxied: true,
    inject: ({ proxy }) => proxy!.tell(`delay ${SLOW_MS}`),
  },
  {
    name: "lossy",
    text: `its host loses ${100 * LOSS} % of the packets that come in`,
    dead: false,
    inject: ({ site }) =>
      addRule(
        site,
        "-m",
        "statistic",
        "--mode",
        "random",
        "--probability",
        `${LOSS}`,
        "-j",
        "DROP",
      ),
  },
];
