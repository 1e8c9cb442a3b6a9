import { PROBE_NAME } from "../engine/probe.ts";

/** The query of class CH that asks whether a data plane answers, with a random id. */
export function probeQuery(): Uint8Array<ArrayBuffer> {
  const name = PROBE_NAME.split(".").flatMap((label) => [
    label.length,
    ...new TextEncoder().encode(label),
  ]);
  const [high, low] = crypto.getRandomValues(new Uint8Array(2));
  return Uint8Array.from([high!, low!, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 16, 0, 3]);
}
