import { type Clock, systemClock } from "../../base/clock.ts";
import { visibleText } from "../../base/visible.ts";
import { TOP_LISTS, type TopSnapshot } from "../../control/observe/top_snapshot.ts";
import type { ListName } from "../../engine/observe/requests.ts";
import type { Call, CommandIo } from "../command.ts";
import type { FlagValues } from "../flags.ts";
import { CommandError } from "../failure.ts";
import { ask, printVerb, type VerbRequest } from "./ask.ts";
import type { OPERATOR_FLAGS } from "./flags.ts";
import { openScreen, processTerminal, type Screen } from "./terminal.ts";
import { SCREEN_LISTS, topText } from "./top_text.ts";

const REDRAW_MS = 1000;
const SCREEN_ENTRIES = 100;

type Values = FlagValues<typeof OPERATOR_FLAGS> & {
  by: "all" | ListName;
  n: number;
  span: "minute" | "hour";
  once: boolean;
};

/** `nodens top`. */
export async function top({ values }: Call<Values>, { output }: CommandIo): Promise<number> {
  const { by, control, json, n, once, span } = values;
  const terminal = once || json ? null : processTerminal();
  const lists = by !== "all" ? [by] : terminal === null ? TOP_LISTS : SCREEN_LISTS;
  const request: VerbRequest = {
    verb: "top",
    parameters: {
      by: by === "all" ? undefined : by,
      span,
      n: String(terminal === null ? n : SCREEN_ENTRIES),
    },
  };
  if (terminal === null) {
    const text = (snapshot: TopSnapshot) =>
      `${topText(snapshot, { lists, size: null }).join("\n")}\n`;
    return await printVerb(request, { control, json, output, text });
  }
  const snapshot = () => askOnce(request, control);
  const screen = openScreen(terminal);
  try {
    await showTop(screen, { snapshot, lists });
  } finally {
    screen.close();
  }
  return 0;
}

async function askOnce(request: VerbRequest, control: string): Promise<TopSnapshot> {
  let snapshot: TopSnapshot | null = null;
  // Reading to the end closes the connection.
  for await (const answer of ask(request, control)) snapshot = answer as TopSnapshot;
  if (snapshot === null) throw new CommandError("nodens has sent nothing");
  return snapshot;
}

/** Redraws each second until it ends. Rejects without a snapshot. */
export async function showTop(
  screen: Screen,
  { snapshot, lists, clock = systemClock }: {
    snapshot: () => Promise<TopSnapshot>;
    lists: readonly ListName[];
    clock?: Clock;
  },
): Promise<void> {
  let isOpen = true;
  const ended = screen.ended.then(() => void (isOpen = false));
  while (isOpen) {
    const answer = await Promise.race([snapshot(), ended]);
    if (answer === undefined) return;
    screen.draw(topText(answer, { lists, size: screen.size }).map(visibleText));
    await Promise.race([clock.sleep(REDRAW_MS), ended]);
  }
}
