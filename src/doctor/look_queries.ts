import type { Surroundings } from "./surroundings.ts";
import type { Asked } from "./queries.ts";
import type { Name, Target } from "./targets.ts";

/** Asks one server for all its names over all its transports, at the same time. */
export function askTarget(
  { address, port, transports, names }: Pick<Target, "address" | "port" | "transports" | "names">,
  { ask, timeoutMs, source }: {
    ask: Surroundings["ask"];
    timeoutMs: number;
    /** Address of this machine to ask from. */
    source?: string;
  },
): Promise<Asked[]> {
  const questions = names.flatMap(({ what, name }) =>
    transports.map((transport) => ({ what, name, transport }))
  );
  return Promise.all(questions.map(async ({ what, name, transport }) => {
    const from = source === undefined ? {} : { source };
    const answer = await ask({ name, address, port, transport, timeoutMs, ...from });
    return { what, name, transport, answer };
  }));
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
