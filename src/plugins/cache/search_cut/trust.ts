import type { EngineServices } from "../../../engine/handler.ts";
import type { ClusterZone } from "./cluster_zone.ts";
import type { Finding, Probes } from "./probes.ts";

/** In every cluster; those above have no records. */
const NAMES = ["kubernetes.default.svc", "default.svc", "svc"] as const;
/** Between checks, up to a quarter longer. */
const PAUSE_MS = { checked: 900_000, failed: 30_000 } as const;

/** Values of the label `state`. */
export const TRUST_STATES = ["unchecked", "on", "off"] as const;

/**
 * Whether a zone's upstream distinguishes names without records from names that do not exist (RFC
 * 8020). Checked at a denial, and again from time to time.
 */
export class Trust {
  readonly zone: ClusterZone;
  state: typeof TRUST_STATES[number] = "unchecked";
  readonly #engine: EngineServices;
  readonly #probes: Probes;
  #checks = false;
  #nextMs = 0;

  constructor(zone: ClusterZone, engine: EngineServices, probes: Probes) {
    this.zone = zone;
    this.#engine = engine;
    this.#probes = probes;
  }

  /** From before a reload. */
  inherit({ state, zone }: Trust): void {
    if (zone.text === this.zone.text) this.state = state;
  }

  forget(): void {
    this.state = "unchecked";
    this.#nextMs = 0;
  }

  check(): void {
    if (this.#checks || this.#engine.nowMs < this.#nextMs) return;
    this.#checks = true;
    this.#step(0);
  }

  #step(step: number): void {
    const name = this.zone.nameOf(NAMES[step]!);
    const begun = this.#probes.begin(name, (finding) => this.#found(step, finding));
    if (!begun) this.#end("failed");
  }

  #found(step: number, finding: Finding): void {
    if (finding === "failed") this.#end("failed");
    else if (finding === "denied") this.#end("off", step);
    else if (step + 1 < NAMES.length) this.#step(step + 1);
    else this.#end("on");
  }

  #end(verdict: "on" | "off" | "failed", step = 0): void {
    const { nowMs, random, log } = this.#engine;
    this.#checks = false;
    const draw = (random() >>> 0) / 2 ** 32;
    this.#nextMs = nowMs + PAUSE_MS[verdict === "failed" ? "failed" : "checked"] * (1 + draw / 4);
    if (verdict === "failed" || verdict === this.state) return;
    const { text } = this.zone;
    const before = this.state;
    this.state = verdict;
    if (verdict === "on") {
      if (before === "off") log("info", `plugin/cache: search_cut: on for ${text} again`);
      return;
    }
    const why = step === 0
      ? `${NAMES[0]}.${text} does not exist, so its upstream cannot be checked`
      : `its upstream denies ${NAMES[step]}.${text}, although names below it exist`;
    log("warning", `plugin/cache: search_cut: off for ${text}: ${why}`);
  }
}
