import { Lazy } from "../base/lazy.ts";
import { createCacheCompanion } from "./cache/companion.ts";
import type { CreateCompanion } from "./companion.ts";
import { createForwardCompanion } from "./forward/companion.ts";
import { BOARD_BYTES } from "./loop/board.ts";

/** Makers of companions, by plugin. Those with verbs or a keeper are loaded at once. */
export const COMPANIONS: ReadonlyMap<string, Lazy<CreateCompanion>> = new Map<
  string,
  Lazy<CreateCompanion>
>([
  ["forward", Lazy.of(createForwardCompanion)],
  ["cache", Lazy.of(createCacheCompanion)],
  ["hosts", new Lazy(async () => (await import("./hosts/companion.ts")).createHostsCompanion)],
  [
    "loadbalance",
    new Lazy(async () => (await import("./loadbalance/companion.ts")).createLoadbalanceCompanion),
  ],
]);

/** Of `LoopServices.shared`, for all data planes. */
export const SHARED_BYTES: number = BOARD_BYTES;
