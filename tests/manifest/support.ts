import { run } from "../../src/cli/manifest/manifest.ts";
import { callCommand } from "../support/doubles/command_call.ts";

export const PUBLISHED: string = Deno.readTextFileSync(
  new URL("nodelocaldns.yaml", import.meta.url),
);

const KUBE_DNS = ["-kubedns", "10.96.0.10"];
const IMAGE = ["-image", "registry.example.org/dns/nodens:1"];

export const CASES: Record<string, string[]> = {
  iptables: [...KUBE_DNS, ...IMAGE],
  plain: [...KUBE_DNS, "-plain", ...IMAGE],
  ipvs: [...KUBE_DNS, "-mode", "ipvs", "-domain", "cluster.example.org", ...IMAGE],
  redirect: [...KUBE_DNS, "--mode=redirect", "--localdns", "169.254.20.11", ...IMAGE],
  dual_stack: [...KUBE_DNS, "-dual-stack", "fd00::10,fd00:10:96:0::A", ...IMAGE],
  ipv6: ["-localdns", "fd00::10", "-kubedns", "fd00:10:96::a", ...IMAGE],
  extras: [
    ...[...KUBE_DNS, ...IMAGE, "-memory", "1Gi"],
    ...["-pod-monitor", "-network-policy", "shop,default,shop"],
  ],
  clients: [...KUBE_DNS, "-clients", "kubelet", ...IMAGE],
};

export function manifest(args: readonly string[], files: Record<string, string> = {}) {
  const host = {
    readTextFile(path: string) {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound(path);
      return text;
    },
  };
  return callCommand("manifest", args, (call, io) => run(call, io, host));
}

export function edit(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`not there exactly once: ${from}`);
  return text.replace(from, () => to);
}

export function lineOf(text: string, part: string): number {
  const index = text.split("\n").findIndex((line) => line.includes(part));
  if (index < 0) throw new Error(`not there: ${part}`);
  return index + 1;
}
