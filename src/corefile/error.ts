/** Where something stands in a Corefile or a file that it imports. */
export interface Place {
  file: string;
  /** Counted from 1. */
  line: number;
}

/**
 * A fault in a Corefile: `Corefile:12: forward: unknown option "force-tcp" (did you mean "force_tcp"?)`.
 */
export class CorefileError extends SyntaxError {
  readonly file: string;
  readonly line: number;
  /** The directive that is wrong; empty for a fault of the grammar. */
  readonly plugin: string;

  /** @param what - what is wrong and, in brackets, what would do */
  constructor(place: Place, plugin: string, what: string) {
    super(`${place.file}:${place.line}: ${plugin === "" ? "" : `${plugin}: `}${what}`);
    this.name = "CorefileError";
    this.file = place.file;
    this.line = place.line;
    this.plugin = plugin;
  }
}

/** All faults found in a configuration; the message holds one a line. */
export class CorefileErrors extends AggregateError {
  declare readonly errors: CorefileError[];
  /** What was noticed besides. */
  readonly warnings: readonly string[];

  constructor(errors: CorefileError[], warnings: readonly string[] = []) {
    super(errors, errors.map((error) => error.message).join("\n"));
    this.name = "CorefileErrors";
    this.warnings = warnings;
  }
}
