import assert from "node:assert/strict";
import type { ListEntry } from "../../src/control/plane/self_checks.ts";
import { Heartbeat } from "../../src/node/heartbeat.ts";

function beat(entry: string): ListEntry {
  return { list: "nodens", entry, target: { address: entry, port: 53, mark: 0x53 } };
}

/** A heartbeat with a data plane controlled by the test. */
function make() {
  const told: string[] = [];
  const answers: PromiseWithResolvers<Record<string, string>>[] = [];
  const heartbeat = new Heartbeat({
    keepEntries(entries, { leave = false } = {}) {
      told.push(`${entries.map(({ entry }) => entry).join(" ")}${leave ? " (left)" : ""}`);
      const answer = Promise.withResolvers<Record<string, string>>();
      answers.push(answer);
      return answer.promise;
    },
  });
  return { heartbeat, told, answers };
}

Deno.test("Heartbeat: a beat joins the current round, and remembers faults", async () => {
  const { heartbeat, told, answers } = make();
  void heartbeat.set([beat("10.96.0.10")]);
  const joined = [heartbeat.beat(), heartbeat.beat()];
  assert.deepEqual(told, ["10.96.0.10"]);
  answers[0]!.resolve({ nodens: "Cannot open it" });
  await Promise.all(joined);
  assert.equal(heartbeat.faultOf("nodens"), "Cannot open it");
  assert.equal(heartbeat.faultOf("nodens6"), null);
  const next = heartbeat.beat();
  answers[1]!.resolve({});
  await next;
  assert.equal(heartbeat.faultOf("nodens"), null);
});

Deno.test("Heartbeat: new entries do not wait for a round of previous entries", async () => {
  const { heartbeat, told, answers } = make();
  void heartbeat.set([beat("10.96.0.10")]);
  void heartbeat.set([beat("169.254.20.10")]);
  assert.deepEqual(told, ["10.96.0.10", "169.254.20.10"]);
  const joined = heartbeat.beat();
  answers[0]!.resolve({});
  answers[1]!.resolve({ nodens: "gone" });
  await joined;
  assert.equal(told.length, 2);
  assert.equal(heartbeat.faultOf("nodens"), "gone");
});

Deno.test("Heartbeat: a data plane that does not answer causes no fault", async () => {
  const { heartbeat, answers } = make();
  void heartbeat.set([beat("10.96.0.10")]);
  answers[0]!.reject(new Error("the data plane has not answered within 3000 ms"));
  await heartbeat.beat();
  assert.equal(heartbeat.faultOf("nodens"), null);
});

Deno.test("Heartbeat: stop removes the entries, unless another process has taken over", () => {
  const { heartbeat, told, answers } = make();
  void heartbeat.set([beat("10.96.0.10")]);
  heartbeat.stop();
  heartbeat.stop({ handedOver: true });
  assert.deepEqual(told, ["10.96.0.10", "", " (left)"]);
  // Answers are not awaited.
  answers.forEach(({ reject }) => reject(new Error("the data plane does not run")));
});
