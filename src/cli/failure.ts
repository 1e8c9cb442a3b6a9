import { readFailure } from "../corefile/read_failure.ts";

/** Ends a command with exit code 1; the message is printed after its name. */
export class CommandError extends Error {}

/** Reads a file that an argument names. Throws `CommandError`. */
export function readFile(path: string, host: { readTextFile(path: string): string }): string {
  try {
    return host.readTextFile(path);
  } catch (error) {
    throw new CommandError(`cannot read "${path}": ${readFailure(error)}`);
  }
}
