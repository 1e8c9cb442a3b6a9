import { BOARD_BYTES } from "./loop/board.ts";

/** Size of the memory that all data planes share. */
export const SHARED_BYTES: number = BOARD_BYTES;
