import { Address } from "../../dns/address.ts";
import { CLIENT_BUCKETS, type Exchange } from "../exchange/exchange.ts";
import type { Io } from "../io.ts";
import { type HashKey, hashOctets } from "../question/keyed_hash.ts";

/** Addresses of the clients of exchanges, asked of the driver when somebody wants them. */
export class ClientAddresses {
  readonly #io: Io;
  readonly #key: HashKey;
  readonly #client = new Address();

  /** @param key - for the hash by which clients are told apart */
  constructor(io: Io, key: HashKey) {
    this.#io = io;
    this.#key = key;
  }

  /** Which of `CLIENT_BUCKETS` the client is in; 0 for nodens itself. */
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

  /** Writes the client's address, or the one that it asked; nothing for a query of nodens' own. */
  read({ origin }: Exchange, side: "client" | "local", target: Address): void {
    if (origin.kind === "datagram") this.#io.address("slot", origin.slot, side, target);
    else if (origin.kind === "kept") this.#io.address("kept", origin.address, side, target);
    else if (origin.kind === "stream") this.#io.address("stream", origin.id, side, target);
  }
}
