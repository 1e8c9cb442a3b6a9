import assert from "node:assert/strict";
import {
  inContainer,
  type LogPlace,
  type LogTime,
  needsTime,
} from "../../../src/control/log/destination.ts";

const NOWHERE: LogPlace = { journal: false, file: false, container: false };
const CASES: { title: string; place: Partial<LogPlace>; mode?: LogTime; expected: boolean }[] = [
  { title: "a terminal or a pipe", place: {}, expected: true },
  { title: "a file", place: { file: true }, expected: true },
  { title: "the journal", place: { journal: true }, expected: false },
  { title: "a container", place: { container: true }, expected: false },
  { title: "a file in a container", place: { container: true, file: true }, expected: true },
  { title: "never", place: { file: true }, mode: "never", expected: false },
  { title: "always, in the journal", place: { journal: true }, mode: "always", expected: true },
  { title: "always, in a container", place: { container: true }, mode: "always", expected: true },
];

for (const { title, place, mode = "auto", expected } of CASES) {
  Deno.test(`lines have their time if nothing else records it: ${title}`, () => {
    assert.equal(needsTime(mode, { ...NOWHERE, ...place }), expected);
  });
}

Deno.test("a container is detected by its runtime's variables and files", () => {
  const within = (env: Record<string, string>, files: string[] = []) =>
    inContainer({ env: (name) => env[name], exists: (path) => files.includes(path) });
  assert.equal(within({}), false);
  assert.equal(within({ container: "" }), false);
  assert.equal(within({ container: "podman" }), true);
  assert.equal(within({ KUBERNETES_SERVICE_HOST: "10.96.0.1" }), true);
  assert.equal(within({}, ["/.dockerenv"]), true);
  assert.equal(within({}, ["/run/.containerenv"]), true);
});
