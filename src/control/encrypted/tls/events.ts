/** What a stream reports; `closed` is the last. */
export interface TlsStreamEvents {
  connected(): void;
  /** Bytes came; they are the receiver's from then on. */
  data(bytes: Uint8Array): void;
  /** So many of the bytes written have been taken by the peer's side of the connection. */
  sent(sizeBytes: number): void;
  /** It holds so many bytes more, or less, besides those written and not sent. */
  held(change: number): void;
  closed(why: string): void;
}

/** What a carrier reports. */
export interface CarrierEvents extends Omit<TlsStreamEvents, "closed"> {
  /** @param refusal - another connection would fare no better: the peer is left alone for a while */
  closed(why: string, refusal?: boolean): void;
}

/** An encrypted connection that carries DNS frames, by itself or as HTTP requests. */
export interface Carrier {
  write(bytes: Uint8Array): void;
  /** Stops or goes on reading from the network. */
  pause(paused: boolean): void;
  close(): void;
}
