import assert from "node:assert/strict";
import * as codec from "dns-packet";
import { Buffer } from "node:buffer";
import { ResponseScanner } from "../../src/dns/response_scan.ts";
import { responseBytes } from "../support/messages/messages.ts";
import { viewOf } from "../support/messages/wire.ts";
import { seeded } from "../support/run/random.ts";
import { mutate } from "./engine.ts";

/**
 * Scans responses, whole and damaged. Oracles: nothing throws or reads beyond the message; TTL
 * offsets are ordered and inside; a whole message has as many records as with another codec.
 */
export function fuzzWire(seed: number, iterations: number): void {
  const dice = seeded(seed);
  const scanner = new ResponseScanner();
  for (let i = 0; i < iterations; i++) {
    const where = `seed ${seed}, iteration ${i}`;
    const name = "www.example.org";
    const answers: codec.Answer[] = Array.from(
      { length: dice() % 6 },
      (_, n) =>
        n % 2 === 0
          ? { type: "A", name, ttl: dice() % 1000, data: "192.0.2.1" }
          : { type: "MX", name, ttl: 60, data: { preference: 1, exchange: `mx${n}.example.org` } },
    );
    const query = { id: 1, questions: [{ name, type: "A" as const, class: "IN" as const }] };
    const whole = responseBytes(query as unknown as codec.DecodedPacket, { answers });
    const bytes = dice() % 3 === 0 ? whole : mutate(whole, dice);
    // The view ends with the message, so that reading beyond it throws.
    const usable = scanner.scan(bytes, viewOf(bytes), 0, bytes.length);
    if (bytes === whole) {
      assert.ok(usable, where);
      assert.equal(scanner.ttlCount, codec.decode(Buffer.from(whole)).answers!.length, where);
    }
    if (!usable) continue;
    assert.ok(scanner.length <= bytes.length, where);
    let last = 0;
    for (let t = 0; t < scanner.ttlCount; t++) {
      const at = scanner.ttls[t]!;
      assert.ok(at > last && at + 6 <= scanner.length, `${where}: TTL at ${at}`);
      last = at;
    }
  }
}
