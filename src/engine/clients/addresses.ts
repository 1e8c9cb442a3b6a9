import { Address } from "../../dns/address.ts";
import { CLIENT_BUCKETS, type Exchange } from "../exchange/exchange.ts";
import type { Io } from "../io.ts";
import { type HashKey, hashOctets } from "../question/keyed_hash.ts";

/** Reads the addresses of exchanges' clients from the driver when they are needed. */
export class ClientAddresses {
  readonly #io: Io;
  readonly #key: HashKey;
  readonly #client = new Address();

  /** @param key - for the hash that distinguishes clients */
  constructor(io: Io, key: HashKey) {
    this.#io = io;
    this.#key = key;
  }

  /** The client's bucket of `CLIENT_BUCKETS`; 0 for internal queries. */
  bucket(exchange: Exchange): number {
    if (exchange.client >= 0) return exchange.client;
    if (exchange.internal) return 0;
    this.read(exchange, "client", this.#client);
    const { family, bytes } = this.#client;
    // A network of 64 bits is one client (RFC 4291 section 2.5.4).
    const hash = hashOctets(this.#key, bytes, 0, family === 6 ? 8 : 4);
    return exchange.client = hash & (CLIENT_BUCKETS - 1);
  }

  /** Family of the client's address. */
  family({ origin }: Exchange): 4 | 6 {
    switch (origin.kind) {
      case "datagram":
        return this.#io.family("slot", origin.slot);
      case "kept":
        return this.#io.family("kept", origin.address);
      case "stream":
        return origin.family;
      case "internal":
        return 4;
    }
  }

  /** Reads the client's address, or the address that it asked; nothing for an internal query. */
  read({ origin }: Exchange, side: "client" | "local", target: Address): void {
    if (origin.kind === "datagram") this.#io.address("slot", origin.slot, side, target);
    else if (origin.kind === "kept") this.#io.address("kept", origin.address, side, target);
    else if (origin.kind === "stream") this.#io.address("stream", origin.id, side, target);
  }
}
