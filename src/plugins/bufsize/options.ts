/** Options of one `bufsize` directive. */
export interface BufsizeOptions {
  /** Largest UDP payload. */
  sizeBytes: number;
}
