import { createCacheCompanion } from "./cache/companion.ts";
import { BOARD_BYTES } from "./loop/board.ts";
import type { CreateCompanion } from "./companion.ts";
import { createForwardCompanion } from "./forward/companion.ts";
import { createHostsCompanion } from "./hosts/companion.ts";
import { createLoadbalanceCompanion } from "./loadbalance/companion.ts";

/** Makers of companions. */
export const COMPANIONS: readonly CreateCompanion[] = [
  createForwardCompanion,
  createHostsCompanion,
  createLoadbalanceCompanion,
  createCacheCompanion,
];

/** Of `LoopServices.shared`, for all data planes. */
export const SHARED_BYTES: number = BOARD_BYTES;
