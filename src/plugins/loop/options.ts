/** Options of one `loop` directive. */
export interface LoopOptions {
  /** Zone that probes lie in, normalised: the first one of the server block. */
  zone: string;
}
