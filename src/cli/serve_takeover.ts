import { TakenSockets } from "../control/taken_sockets.ts";
import type { Logger } from "../control/logger.ts";
import type { Reloader } from "../control/reloader.ts";
import type { Server } from "../control/server.ts";
import { Takeover } from "../control/takeover.ts";
import { VERSION } from "./version.ts";

/** What else follows when one nodens takes the place of another: the node's rules, say. */
export interface Turns {
  standDown(): Promise<void>;
  takeBack(): Promise<void>;
}

/** A nodens that takes turns with others of its name, and what it was handed at the start. */
export interface TakingTurns {
  takeover: Takeover;
  /** Sockets of the one before; null where there was none. */
  taken: TakenSockets | null;
}

/** Takes over from a nodens of that name, where one serves. Throws where it does not let go. */
export async function beginTurns(
  name: string,
  { logger, workers }: { logger: Logger; workers: number },
): Promise<TakingTurns> {
  const takeover = new Takeover({ name, version: VERSION, log: logger.log });
  const sockets = await takeover.ask();
  return { takeover, taken: sockets === null ? null : new TakenSockets(sockets, workers) };
}

/** Says that this one serves, and lets the next one take over. */
export async function joinTurns(
  { takeover, taken }: TakingTurns,
  { server, reloader, turns }: { server: Server; reloader: Reloader; turns: Turns },
): Promise<void> {
  taken?.close();
  for (const plane of server.planes) plane.onReleased = takeover.release;
  let goOn = () => {};
  await takeover.serve({
    sockets: () => server.sockets,
    async prepare() {
      await reloader.pause();
      const save = await server.save();
      return goOn = () => {
        save();
        reloader.resume();
      };
    },
    async standDown() {
      await turns.standDown();
      await server.standDown();
    },
    async takeBack() {
      server.takeBack();
      goOn();
      await turns.takeBack();
    },
    adopt: (streams) => server.adopt(streams),
  });
}
