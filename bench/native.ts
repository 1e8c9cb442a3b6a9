import { note } from "./output.ts";

const BUILD = new URL("./.build/", import.meta.url).pathname;
const SOURCE = new URL("./native/answer.c", import.meta.url).pathname;

/** Program that answers every query with one A record: the floor, and the upstream of the others. */
export const ANSWER_PROGRAM = `${BUILD}answer`;
/** TTL of what it answers: an hour, so that nothing expires in a run. */
export const TTL_SECONDS = 3600;

/** Builds the C program with gcc; says why and returns false where it cannot. */
export function buildNative(): boolean {
  Deno.mkdirSync(BUILD, { recursive: true });
  try {
    const { success, stderr } = new Deno.Command("gcc", {
      args: ["-O2", "-Wall", "-Wextra", "-o", ANSWER_PROGRAM, SOURCE],
      stderr: "piped",
    }).outputSync();
    if (!success) note(new TextDecoder().decode(stderr));
    return success;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    note("SKIPPED: gcc is not installed, so there is no floor and no upstream to measure with");
    return false;
  }
}
