/** Options of `loop`. */
export interface LoopOptions {
  /** First zone, normalised. */
  zone: string;
}

/** Of each random label of a probe's name. */
export const LABEL_DIGITS = 16;
/** Two random labels. */
export const PROBE_LABELS_SIZE: number = 2 * (1 + LABEL_DIGITS);

/** Of a probe's nonce. */
export const NONCE_WORDS = 4;
/** Of a probe's mark. */
export const MARK_WORDS = 2;
