import type { ExplainReply, ExplainRequest } from "../../engine/explain/types.ts";
import { VerbError } from "../../plugins/verbs.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import type { AskedAnswer, ExplainAnswer, PlaneExplanation } from "./answer.ts";
import { showMessage } from "./message.ts";
import { readQuery } from "./read_query.ts";

/** Together less than `VERB_MS`. */
const EXPLAIN_MS = 2000;
const ASK_MS = 7500;
/** Each may query upstreams. */
const MAX_ASKS = 4;

/** Environment of the verbs. */
export interface ExplainServices {
  readonly planes: readonly Pick<DataPlane, "explain" | "query">[];
  readonly nameClient: (address: string) => string | null;
}

/** Predicts what data planes would do. Throws `VerbError`. */
export async function explain(
  services: ExplainServices,
  parameters: ReadonlyMap<string, string>,
): Promise<ExplainAnswer> {
  const { request, question } = readQuery(parameters);
  const replies = await Promise.all(
    services.planes.map((plane) => answered(plane.explain(request, EXPLAIN_MS))),
  );
  const planes = replies.map((reply) => {
    const clientName = services.nameClient(reply.client);
    return { ...show(reply, request), clientName };
  });
  return { question, planes, asked: null };
}

/** Queries being asked. */
export interface Asking {
  count: number;
}

/** Also asks the first data plane. Throws `VerbError`. */
export async function ask(
  services: ExplainServices,
  parameters: ReadonlyMap<string, string>,
  asking: Asking,
): Promise<ExplainAnswer> {
  const explained = await explain(services, parameters);
  // Refused before any plugin.
  if (explained.planes[0]!.steps.length === 0) return explained;
  if (asking.count >= MAX_ASKS) {
    throw new VerbError(`${MAX_ASKS} queries are being asked already: try again in a moment`, 503);
  }
  asking.count++;
  try {
    const { request } = readQuery(parameters);
    const reply = await answered(services.planes[0]!.query(request, ASK_MS));
    if (reply === null) {
      throw new VerbError("the data plane takes no more queries now: too many are waiting", 503);
    }
    const answer = reply.answer === null ? null : showMessage(reply.answer);
    const asked: AskedAnswer = { ...reply, answer };
    return { ...explained, asked };
  } finally {
    asking.count--;
  }
}

async function answered<T>(reply: Promise<T | undefined>): Promise<T> {
  let value: T | undefined;
  try {
    value = await reply;
  } catch (error) {
    throw new VerbError((error as Error).message, 503);
  }
  if (value !== undefined) return value;
  throw new VerbError("nodens has failed at this query: see its log", 503);
}

function show(
  reply: ExplainReply,
  { listener: named }: ExplainRequest,
): Omit<PlaneExplanation, "clientName"> {
  const { listener, steps, ...rest } = reply;
  if (listener === null) {
    const address = named?.address.includes(":") ? `[${named.address}]` : named?.address;
    throw new VerbError(
      `nodens does not listen at ${address}:${named?.port}; it listens at ${
        rest.otherListeners.join(", ")
      }`,
      404,
    );
  }
  return {
    ...rest,
    listener,
    steps: steps.map((step) => ({
      ...step,
      answer: step.answer === null ? null : showMessage(step.answer),
    })),
  };
}
