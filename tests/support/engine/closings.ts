import type { Simulation } from "../simulation/simulation.ts";

/** Streams that nodens closed, by reason, without those of which there were none. */
export function closings(simulation: Simulation): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name, labels, index } of simulation.counters.places) {
    const count = simulation.counters.values[index]!;
    if (name === "nodens_streams_closed_total" && count > 0) counts[labels.reason!] = count;
  }
  return counts;
}
