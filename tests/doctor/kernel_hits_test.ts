import { judgeKernelHits, type KernelHitsFacts } from "../../src/doctor/judge/kernel_hits.ts";
import type { ProbeResult } from "../../src/kernel/probe.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { testJudge } from "../support/doubles/finding_table.ts";

const PROBE: ProbeResult = {
  refusal: null,
  attach: "tcx",
  loaded: true,
  candidates: ["lo", "cni0"],
  unsuitable: new Map(),
  foreign: [],
  filtered: [],
  afterNat: [],
};
const OTHER = { name: "lxc1", text: '"cil_from_contai" (TCX ingress)', isOfPods: true };

const BASE: KernelHitsFacts = { wanted: true, hasAddress: true, probe: PROBE, running: "nodens" };

testJudge("kernel-hits", BASE, judgeKernelHits, [
  {
    name: "on, and possible",
    ok: "the program loads; tcx on lo, cni0; these answers bypass iptables, NetworkPolicy and" +
      " CNIs that read DNS (docs/kernel-path.md)",
  },
  {
    name: "a bridge whose packets pass NAT first",
    facts: { probe: { ...PROBE, afterNat: ["cni0"] } },
    ok:
      /; NAT rules come first on cni0, and these answers do not undo them \(docs\/kernel-path\.md\)$/,
  },
  {
    name: "off, and possible",
    facts: { wanted: false, probe: { ...PROBE, loaded: false } },
    skipped: "off; possible here: tcx on lo, cni0",
  },
  {
    name: "off, and not possible",
    facts: {
      wanted: false,
      probe: { ...PROBE, refusal: new Refusal("capability", "this process lacks BPF", "give it") },
    },
    skipped: "off; not possible: this process lacks BPF",
  },
  {
    name: "no capabilities",
    facts: {
      probe: { ...PROBE, refusal: new Refusal("capability", "this process lacks BPF", "give it") },
    },
    warning: ["this process lacks BPF", "give it"],
  },
  {
    name: "a program of others on an interface of pods",
    facts: { probe: { ...PROBE, foreign: [{ ...OTHER, name: "lo", isOfPods: false }, OTHER] } },
    warning: [
      'lxc1 has "cil_from_contai" (TCX ingress), so no interface of pods is used',
      /-kernel-hits lo/,
    ],
  },
  {
    name: "a program of others on lo",
    facts: { probe: { ...PROBE, foreign: [{ ...OTHER, name: "lo", isOfPods: false }] } },
    warning: [/so lo is left out$/, /docs\/kernel-path\.md/],
  },
  {
    name: "an interface that was named is unsuitable",
    facts: { probe: { ...PROBE, unsuitable: new Map([["eth0", "it is physical"]]) } },
    warning: ["not on eth0: it is physical", /-kernel-hits auto/],
  },
  {
    name: "no listener with an address",
    facts: { hasAddress: false },
    warning: ["all listeners are on all addresses", /bind 169\.254\.20\.10/],
  },
  {
    name: "no interface",
    facts: { probe: { ...PROBE, candidates: [] } },
    warning: ["no suitable interface", /pods are still to come/],
  },
  {
    name: "many interfaces",
    facts: { probe: { ...PROBE, candidates: Array.from({ length: 20 }, (_, i) => `v${i}`) } },
    ok: /tcx on v0, v1, v2, v3, v4, v5, v6, v7 and 12 more;/,
  },
  {
    name: "a filter of a killed process",
    facts: { running: "nobody", probe: { ...PROBE, attach: "clsact", filtered: ["lo"] } },
    ok: /; lo has a filter of a process that was killed, which answers nothing$/,
  },
  {
    name: "a filter of a running process",
    facts: { probe: { ...PROBE, attach: "clsact", filtered: ["lo"] } },
    ok: /\(docs\/kernel-path\.md\)$/,
  },
  { name: "another system", facts: { probe: null }, skipped: /cannot be asked/ },
]);
