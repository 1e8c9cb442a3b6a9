import { note } from "./output.ts";

const BUILD = new URL("./.build/", import.meta.url).pathname;
const SOURCES = new URL("./native/", import.meta.url).pathname;

/** Answers every query with one A record: the floor, and the others' upstream. */
export const ANSWER_PROGRAM = `${BUILD}answer`;
/** Times ways to obtain a fresh source port. */
export const PORTS_PROGRAM = `${BUILD}ports`;
/** Asks at a steady rate, or as fast as it is answered. */
export const LOAD_PROGRAM = `${BUILD}dns_load`;
/** An hour, so that nothing expires during a run. */
export const TTL_SECONDS = 3600;

/** Builds a C program (default: the floor) with gcc; reports a failure and returns false. */
export function buildNative(program: string = ANSWER_PROGRAM): boolean {
  Deno.mkdirSync(BUILD, { recursive: true });
  try {
    const { success, stderr } = new Deno.Command("gcc", {
      args: [
        "-O2",
        "-Wall",
        "-Wextra",
        "-o",
        program,
        `${SOURCES}${program.slice(BUILD.length)}.c`,
      ],
      stderr: "piped",
    }).outputSync();
    if (!success) note(new TextDecoder().decode(stderr));
    return success;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    note("SKIPPED: gcc is not installed, so what is written in C cannot be measured with");
    return false;
  }
}
