import { BOARD_BYTES } from "./loop/board.ts";

/** Size of `SharedServices.shared`. */
export const SHARED_BYTES: number = BOARD_BYTES;
