import { BOARD_BYTES } from "./loop/board.ts";

/** Bytes that handlers of all data planes share. */
export const SHARED_BYTES: number = BOARD_BYTES;
