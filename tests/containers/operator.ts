import assert from "node:assert/strict";
import type { Where } from "./network.ts";
import type { Site } from "./site.ts";

/**
 * The operator's commands in a container that serves with a cache, except those that end it.
 * `cached` is in the cache when they begin.
 */
export async function tryOperator(
  site: Site,
  container: string,
  { cached, upstream, where = "cluster" }: {
    cached: string;
    upstream: RegExp;
    where?: Where;
  },
): Promise<void> {
  const nodens = (line: string) => site.nodens(container, line, where);
  const records = new RegExp(`^${cached.replaceAll(".", "\\.")}\\.\\t+\\d+\\tIN\\tA\\t`, "m");
  assert.match(await nodens(`lookup ${cached}`), records);
  assert.match(await nodens(`dump ${cached}`), records);
  const top = await nodens("top -once");
  assert.match(top, /^nodens .*, process 1, /);
  assert.match(top, new RegExp(` A {5}${cached.replaceAll(".", "\\.")}\\.$`, "m"));
  assert.match(await nodens("upstreams"), upstream);
  assert.match(await nodens(`explain ${cached}`), /^ {2}cache +answers: has it, /m);
  assert.match(await nodens(`flush ${cached}`), /^Flushed: answers [1-9]/);
  assert.equal(await nodens(`lookup ${cached}`), `; nothing is cached for ${cached}\n`);
  assert.match(await nodens(`explain -ask ${cached}`), /^asked: NOERROR in /m);
  assert.match(await nodens("log -for 1m debug on"), / logged for 60 s\.$/m);
  assert.match(await nodens("reload"), /^The Corefile of .* is served\.$/m);
  const log = await site.log(container);
  assert.match(log, /control: flush name=".*" \(from user \d+, process \d+\)$/m);
}

/** `nodens stop` ends a container in order. */
export async function stopByCommand(site: Site, container: string): Promise<void> {
  assert.equal(await site.nodens(container, "stop"), "nodens is stopping.\n");
  await site.podman(["wait", container]);
  await site.assertStopped(container);
  await site.podman(["rm", container]);
}
