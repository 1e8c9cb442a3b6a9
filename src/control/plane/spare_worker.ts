let spare: Worker | null = null;

/**
 * Starts a data plane's thread early, to load modules while the Corefile is read. Saves a third of
 * the time to the first answer on two processors.
 */
export function startSpareWorker(): void {
  spare ??= startWorker();
}

/** The spare thread or a new one. */
export function takeWorker(): Worker {
  const worker = spare ?? startWorker();
  spare = null;
  return worker;
}

function startWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
}
