import { command } from "../command.ts";
import { boolean, choice, HELP_FLAG, text } from "../flags.ts";
import { VERSION } from "../version.ts";

/** `nodens manifest`. The chart's values.yaml has the same defaults. */
export const MANIFEST = command({
  name: "manifest",
  summary: "print a manifest for Kubernetes",
  forms: [
    { args: "-kubedns ADDRESS [FLAGS]", summary: "print a manifest for Kubernetes" },
    { args: "-from FILE [FLAGS]", summary: "fill the one that Kubernetes publishes" },
    { args: "-check FILE [FLAGS]", summary: "look for faults in one" },
  ],
  flags: {
    localdns: text("ADDRESS", "address of nodens on every node", "169.254.20.10"),
    domain: text("DOMAIN", "domain of the cluster", "cluster.local"),
    kubedns: text("ADDRESS", "address of the kube-dns service"),
    "dual-stack": text(
      "ADDRESSES",
      "local address and that of kube-dns of the other family: fd00::10,fd00:10:96::a",
    ),
    mode: choice(
      "MODE",
      ["iptables", "ipvs", "redirect"],
      "iptables, ipvs (as kube-proxy runs) or redirect",
    ),
    image: text("IMAGE", "image of nodens with iptables", `nodens-node:${VERSION}`),
    plain: boolean("the published Corefile as it is, without prefetch and serve_stale"),
    memory: text("SIZE", "memory limit, which the size of the caches follows", "192Mi"),
    "cluster-range": text(
      "RANGES",
      "ranges of services and pods, with commas between; the local address must lie outside",
    ),
    "pod-monitor": boolean("add a PodMonitor for the Prometheus operator"),
    "network-policy": text(
      "NAMESPACES",
      "namespaces, with commas between, that get a NetworkPolicy for DNS",
    ),
    from: text("FILE", "fill this manifest of Kubernetes instead, and change its image"),
    diff: boolean("with -from: print what changes"),
    check: text("FILE", "look for faults in this manifest"),
    h: HELP_FLAG,
  },
  operands: [],
  exitCodes: [
    [0, "printed, or no fault found"],
    [1, "a manifest has faults, and nothing is printed"],
    [2, "a flag that cannot be understood"],
  ],
  load: () => import("./manifest.ts"),
});
