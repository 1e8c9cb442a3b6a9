import { BOARD_BYTES } from "./loop/board.ts";

/** Size of `LoopServices.shared`. The control plane asks here, since it loads no handlers. */
export const SHARED_BYTES: number = BOARD_BYTES;
