import type { Logger } from "../control/logger.ts";
import type { Server } from "../control/server.ts";

/**
 * `ended` with the first signal to stop, `hurried` with the second; a third ends the process. SIGQUIT
 * has the state printed before.
 */
export function watchSignals(
  reload: (why: string) => void,
  server: Server,
  logger: Logger,
): { ended: Promise<void>; hurried: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const hurried = Promise.withResolvers<void>();
  const windows = Deno.build.os === "windows";
  let count = 0;
  const signals = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
  for (const signal of windows ? ["SIGINT"] as const : signals) {
    Deno.addSignalListener(signal, () => {
      count++;
      if (count === 1) logger.log("info", `${signal}: stopping (again: at once)`);
      if (count === 1 && signal === "SIGQUIT") {
        void reportState(server, logger).finally(ended.resolve);
      } else if (count === 1) ended.resolve();
      else if (count === 2) hurried.resolve();
      else Deno.exit(1);
    });
  }
  for (const signal of windows ? [] : ["SIGUSR1", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => reload(signal));
  }
  return { ended: ended.promise, hurried: hurried.promise };
}

async function reportState(server: Server, logger: Logger): Promise<void> {
  const { printStateReport } = await import("./state_report.ts");
  await printStateReport(server.status, logger);
}
