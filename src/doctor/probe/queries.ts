import type { Asked } from "../judge/queries.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Name, Target } from "../judge/targets.ts";

/** An answer that took longer is not asked for again: its time is known well enough. */
const ASK_AGAIN_BELOW_MS = 250;

/** What is asked of one server. */
export type Questions = Pick<Target, "address" | "port" | "transports" | "names">;

/** How it is asked. */
export interface AskOptions {
  readonly ask: Surroundings["ask"];
  readonly timeoutMs: number;
  /** Address of this machine to ask from. */
  readonly source?: string;
}

/**
 * Asks servers for all their names over all their transports. First everything at a time, so that
 * silent ones are waited for once; then what was answered one after the other, so that the times
 * are those of the servers and not of so many questions.
 */
export async function askTargets(
  targets: readonly Questions[],
  { ask, timeoutMs, source }: AskOptions,
): Promise<Asked[][]> {
  const put = async ({ address, port }: Questions, question: Omit<Asked, "answer">) => {
    const { name, transport } = question;
    const from = source === undefined ? {} : { source };
    const answer = await ask({ name, address, port, transport, timeoutMs, ...from });
    return { ...question, answer };
  };
  const first = await Promise.all(targets.map((target) =>
    Promise.all(
      target.names.flatMap(({ what, name }) =>
        target.transports.map((transport) => put(target, { what, name, transport }))
      ),
    )
  ));
  const result: Asked[][] = [];
  for (const [i, asked] of first.entries()) {
    const list: Asked[] = [];
    for (const one of asked) {
      const again = "rcode" in one.answer && one.answer.ms < ASK_AGAIN_BELOW_MS;
      list.push(again ? await put(targets[i]!, one) : one);
    }
    result.push(list);
  }
  return result;
}

/** Names to ask for. */
export function namesOf(
  { clusterName, outsideName }: { clusterName: string | null; outsideName: string },
): Name[] {
  return [
    ...(clusterName === null ? [] : [{ what: "cluster" as const, name: clusterName }]),
    { what: "outside" as const, name: outsideName },
  ];
}
