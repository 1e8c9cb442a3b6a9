import {
  type Command,
  type CommandIo,
  dispatchCommand,
  type Program,
} from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";

/** Output and exit code of a command. */
export interface Called {
  code: number;
  out: string;
  err: string;
}

/** Runs a command, given itself or by its name, as main.ts does; `run` replaces loaded code. */
export async function callCommand(
  command: Command | string,
  args: readonly string[],
  run?: Program<never>["run"],
): Promise<Called> {
  const called = { code: 0, out: "", err: "" };
  const io: CommandIo = {
    output: { out: (text) => called.out += text, err: (text) => called.err += text },
    commands: () => Promise.resolve(COMMANDS),
    signals: null,
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
  const found = COMMANDS.find((one) => one === command || one.name === command)!;
  called.code = await dispatchCommand(found, args, { io, ...run && { program: { run } } });
  return called;
}
