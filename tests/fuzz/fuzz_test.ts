import { fuzzCorefile } from "./corefile.ts";
import { fuzzEngine } from "./engine.ts";
import { fuzzWire } from "./wire.ts";

Deno.test("fuzz: engine, twenty seeds", () => {
  for (let seed = 1; seed <= 20; seed++) fuzzEngine(seed, 100);
});

Deno.test("fuzz: wire format, five seeds", () => {
  for (let seed = 1; seed <= 5; seed++) fuzzWire(seed, 1000);
});

Deno.test("fuzz: Corefile, five seeds", () => {
  for (let seed = 1; seed <= 5; seed++) fuzzCorefile(seed, 300);
});
