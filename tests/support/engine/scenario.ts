import type { Decoded } from "../messages/messages.ts";
import { a, queryBytes, responseBytes } from "../messages/messages.ts";
import { type Behaviour, onlyAnswer, type Simulation } from "../simulation/simulation.ts";

/** Sends a query, lets time pass, and returns the only answer. */
export function ask(
  simulation: Simulation,
  query: Parameters<typeof queryBytes>[0],
  { runMs = 100, listener = 0 } = {},
): Decoded {
  const asked = simulation.ask(queryBytes(query), listener);
  simulation.run(runMs);
  return onlyAnswer(asked);
}

export function answering(data = "192.0.2.7", { delayMs = 1, ttl = 300 } = {}): Behaviour {
  return (query) => [{
    bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, data, ttl)] }),
    delayMs,
  }];
}

export function closings(simulation: Simulation): Record<string, number> {
  return Object.fromEntries(
    simulation.counters.places.flatMap(({ name, labels, index }) => {
      const count = simulation.counters.values[index]!;
      return name === "nodens_streams_closed_total" && count > 0 ? [[labels.reason!, count]] : [];
    }),
  );
}
