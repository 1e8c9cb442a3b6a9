import type { Asked } from "../judge/queries.ts";
import type { Name, Target } from "../judge/targets.ts";
import type { Surroundings } from "./options.ts";

/** Slower answers need no second measurement. */
const ASK_AGAIN_BELOW_MS = 250;

/** Dependencies of the queries. */
export interface AskOptions {
  readonly ask: Surroundings["ask"];
  readonly timeoutMs: number;
  readonly source?: string;
}

/** Queries all servers concurrently, then those that answered one by one for accurate times. */
export async function askTargets(
  targets: readonly Pick<Target, "address" | "port" | "transports" | "names">[],
  { ask, timeoutMs, source }: AskOptions,
): Promise<Asked[][]> {
  const questions = targets.map(({ address, port, names, transports }) =>
    names.flatMap(({ what, name }) =>
      transports.map((transport) => async (): Promise<Asked> => ({
        ...{ what, name, transport },
        answer: await ask({ name, address, port, transport, timeoutMs, source }),
      }))
    )
  );
  const results = await Promise.all(
    questions.map((list) => Promise.all(list.map((question) => question()))),
  );
  for (const [i, list] of results.entries()) {
    for (const [j, { answer }] of list.entries()) {
      const again = "rcode" in answer && answer.ms < ASK_AGAIN_BELOW_MS;
      if (again) list[j] = await questions[i]![j]!();
    }
  }
  return results;
}

/** Names to query. */
export function namesOf(
  { clusterName, outsideName }: { clusterName: string | null; outsideName: string },
): Name[] {
  const outside: Name = { what: "outside", name: outsideName };
  return clusterName === null ? [outside] : [{ what: "cluster", name: clusterName }, outside];
}
