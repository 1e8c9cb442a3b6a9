import { askQuery } from "../../../src/engine/explain/ask.ts";
import { explainQuery } from "../../../src/engine/explain/explain.ts";
import type {
  AskReply,
  ExplainedStep,
  ExplainReply,
  ExplainRequest,
} from "../../../src/engine/explain/types.ts";
import { readQuery } from "../../../src/control/explain/read_query.ts";
import type { Simulation } from "../simulation/simulation.ts";

/** Parameters of the verb; the name has a default. */
export type Asking = Readonly<Record<string, string>>;

export function requestFor(parameters: Asking = {}): ExplainRequest {
  return readQuery(new Map(Object.entries({ name: "www.example.org", ...parameters }))).request;
}

export function explainIn({ engine }: Simulation, parameters: Asking = {}): ExplainReply {
  return explainQuery(engine, requestFor(parameters));
}

/** The step of a plugin. */
export function stepOf({ steps }: ExplainReply, plugin: string): ExplainedStep {
  const step = steps.find((step) => step.plugin === plugin);
  if (step === undefined) throw new Error(`${plugin} is not in the chain`);
  return step;
}

/** `passes: no such name`. */
export function lineOf(reply: ExplainReply, plugin: string): string {
  const { verdict, reason } = stepOf(reply, plugin);
  return `${verdict}: ${reason}`;
}

/** Asks, and collects the replies of this and of later calls. */
export function askIn({ engine }: Simulation, parameters: Asking = {}): (AskReply | null)[] {
  const replies: (AskReply | null)[] = [];
  askQuery(engine, requestFor(parameters), (reply) => void replies.push(reply));
  return replies;
}
