/** Attaches the reflection to an interface until its input ends. */
import { systemClock } from "../../src/base/clock.ts";
import { attachTcx, loadProgram } from "../../src/sys/bpf/bpf.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { compileReflection } from "./reflect.ts";

const [device = ""] = Deno.args;
const program = await loadProgram(
  await compileReflection("tc_redirect"),
  new Map(),
  10_000,
  systemClock,
);
const index = openLibc().if_nametoindex(new TextEncoder().encode(`${device}\0`));
attachTcx(program, index);
const { stdin, stdout } = Deno;
stdout.writeSync(new TextEncoder().encode("attached\n"));
while (await stdin.read(new Uint8Array(64)) !== null);
