/**
 * Attaches a program to an interface of its network namespace and publishes answers; prints a line
 * of JSON with the outcomes for each line it reads. Arguments: the program, the interface, entries.
 */
import { attachTcx } from "../../../src/sys/bpf/bpf.ts";
import { cString, openLibc } from "../../../src/sys/libc.ts";
import { PROGRAMS } from "../../../src/kernel/program/program.ts";
import { ProgramRig } from "./program_rig.ts";
import type { Entry } from "./slots.ts";

const [key, name, entries] = Deno.args as [keyof typeof PROGRAMS, string, string];
const rig = await ProgramRig.load(PROGRAMS[key]);
for (const entry of JSON.parse(entries) as Entry[]) rig.publish(entry);
attachTcx(rig.fd, openLibc().if_nametoindex(cString(name)));
const say = (value: unknown) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
say("attached");
for await (const _ of Deno.stdin.readable) say(rig.outcomes());
rig.close();
