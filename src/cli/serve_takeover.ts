import type { DriverKind } from "../control/messages.ts";
import { TakenSockets } from "../control/taken_sockets.ts";
import type { Logger } from "../control/logger.ts";
import type { Reloader } from "../control/reloader.ts";
import type { Server } from "../control/server.ts";
import { Takeover } from "../control/takeover.ts";
import type { NodeRole } from "../host/node_role.ts";
import { VERSION } from "./version.ts";

/** A nodens that takes turns with others of its name, and what it was handed at the start. */
export interface TakingTurns {
  takeover: Takeover;
  /** Sockets of the one before; null where there was none. */
  taken: TakenSockets | null;
}

/** Takes over from a nodens of that name, where one serves. Throws where it does not let go. */
export async function startTurns(
  name: string,
  { driver, workers, logger }: { driver: DriverKind; workers: number; logger: Logger },
): Promise<TakingTurns | null> {
  if (name === "") return null;
  if (driver !== "linux") {
    logger.log("warning", "-takeover needs the linux driver; nobody can take over");
    return null;
  }
  const takeover = new Takeover({ name, version: VERSION, log: logger.log });
  const sockets = await takeover.ask();
  return { takeover, taken: sockets === null ? null : new TakenSockets(sockets, workers) };
}

/** Says that this one serves, and lets the next one take over. */
export async function joinTurns(
  { takeover, taken }: TakingTurns,
  { server, reloader, role }: { server: Server; reloader: Reloader; role: NodeRole | null },
): Promise<void> {
  taken?.close();
  for (const plane of server.planes) plane.onReleased = takeover.release;
  let goOn = () => {};
  let serves = true;
  let roleDown: Promise<void> | undefined;
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
      serves = false;
      await (roleDown = role?.standDown());
      // Whoever took over may be gone again by now.
      if (!serves) await server.standDown();
    },
    async takeBack() {
      serves = true;
      server.takeBack();
      goOn();
      await roleDown;
      role?.takeBack();
    },
    adopt: (streams) => server.adopt(streams),
  });
}
