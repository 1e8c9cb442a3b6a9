import type { Config } from "../../config/types.ts";
import type { ErrorsOptions } from "../../plugins/errors/options.ts";

/** Whether some `errors` of the configuration asks for stacks (`stacktrace`). */
export function logsStack(config: Config): boolean {
  return config.blocks.some(({ plugins }) =>
    plugins.some(({ name, options }) => name === "errors" && (options as ErrorsOptions).stacktrace)
  );
}

/** What is logged of an exception that the data plane survived: one line, or its whole stack. */
export function panicText(error: unknown, whole: boolean): string {
  const recovered = "Recovered from panic in the data plane: ";
  if (!(error instanceof Error)) return recovered + String(error);
  if (whole) return recovered + (error.stack ?? String(error));
  const place = /^\s+(at .*)$/m.exec(error.stack ?? "")?.[1];
  const message = String(error).replaceAll("\n", " ");
  return recovered + message + (place === undefined ? "" : ` (${place})`);
}
