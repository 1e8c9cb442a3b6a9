import assert from "node:assert/strict";
import { ByteBudget, type Holder } from "../../../src/control/encrypted/tls/byte_budget.ts";

Deno.test("byte budget: a lower limit evicts the largest holders until the others fit", () => {
  const budget = new ByteBudget(100);
  const ended: string[] = [];
  const holders = [["small", 10], ["large", 50], ["middle", 30]] as const;
  for (const [name, size] of holders) {
    const holder: Holder = { held: 0, exhausted: () => ended.push(name) };
    budget.change(holder, size);
  }
  budget.limit = 200;
  assert.deepEqual([budget.used, ended], [90, []]);
  budget.limit = 20;
  assert.deepEqual([budget.used, ended], [10, ["large", "middle"]]);
  budget.limit = 0;
  assert.deepEqual([budget.used, ended], [0, ["large", "middle", "small"]]);
});
