import { hideFaults, type ReloadStatus } from "../endpoints/status.ts";
import type { TopSnapshot } from "../observe/top_snapshot.ts";
import { visibleLines, visibleTexts } from "./visible.ts";

/** Rows shown; a Corefile may have thousands. */
const MAX_ROWS = 50;
const MAX_COREFILE = 65_536;

/** The Corefile in force. */
export interface CorefileText {
  /** Path, or its sources. */
  file: string;
  text: string;
}

/** Content of each second. */
export interface PageView {
  top: TopSnapshot;
  reload: ReloadStatus | null;
  /** Without names, clients and configuration. */
  withheld: boolean;
}

/** Makes a view; `trusted`: root and the own user. */
export function pageView(
  snapshot: TopSnapshot,
  { reload, trusted }: { reload: ReloadStatus | null; trusted: boolean },
): PageView {
  const { caches, upstreams, lists } = snapshot;
  const top = {
    ...snapshot,
    caches: firstOf(caches).map((cache) => ({ ...cache, zones: firstOf(cache.zones) })),
    upstreams: firstOf(upstreams),
    lists: trusted ? lists : null,
  };
  const shown = trusted ? reload : hideFaults(reload);
  return visibleTexts({
    top,
    reload: shown && { ...shown, faults: firstOf(shown.faults) },
    withheld: !trusted,
  });
}

/** Corefile for display. */
export function corefileView({ file, text }: CorefileText): CorefileText {
  const cut = text.length <= MAX_COREFILE
    ? text
    : `${text.slice(0, MAX_COREFILE)}\n… (${text.length - MAX_COREFILE} more characters)\n`;
  return { file: visibleTexts(file), text: visibleLines(cut) };
}

function firstOf<T>(all: readonly T[]): T[] {
  return all.slice(0, MAX_ROWS);
}
