import { readFailure } from "../corefile/read_failure.ts";

/** Ends a command with exit code 1 and its message. */
export class CommandError extends Error {}

/** Reads an argument's file. Throws `CommandError`. */
export function readFile(path: string, host: { readTextFile(path: string): string }): string {
  try {
    return host.readTextFile(path);
  } catch (error) {
    throw new CommandError(`cannot read "${path}": ${readFailure(error)}`);
  }
}
