/** Loads a program with the capabilities that it was given; prints the reason if it cannot. */
import { ProgramRig } from "../support/kernel/program_rig.ts";

try {
  (await ProgramRig.load()).close();
} catch (error) {
  Deno.stdout.writeSync(new TextEncoder().encode((error as Error).message));
}
