import type { AttachKind } from "./interfaces.ts";
import type { Reason } from "./refusal.ts";

/** Hits in the kernel, as in `/status`. */
export interface KernelHitsStatus {
  /**
   * `waiting`: no interface has the program now; `refused`: not possible in this process, for the
   * last of `refusals`.
   */
  readonly state: "off" | "starting" | "on" | "waiting" | "refused";
  readonly attach: AttachKind | null;
  readonly interfaces: readonly string[];
  readonly answers: number;
  readonly bytes: number;
  readonly refusals: readonly { readonly reason: Reason; readonly text: string }[];
}

/** Without `-kernel-hits`. */
export const KERNEL_HITS_OFF: KernelHitsStatus = {
  state: "off",
  attach: null,
  interfaces: [],
  answers: 0,
  bytes: 0,
  refusals: [],
};

const NAMES_SHOWN = 8;

/** The first of many interfaces, and how many more there are. */
export function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
