import { hideFaults, type ReloadStatus } from "../endpoints/status.ts";
import type { TopSnapshot } from "../observe/top_snapshot.ts";
import { visibleLines, visibleTexts } from "./visible.ts";

/** Zones of a cache, servers and faults that the page shows; a Corefile may have thousands. */
const MAX_ROWS = 50;
/** Longer Corefiles are shown in part. */
const MAX_COREFILE = 65_536;

/** The Corefile in force. */
export interface CorefileText {
  /** Path, or what it was made of. */
  file: string;
  text: string;
}

/** What the page shows each second. */
export interface PageView {
  top: TopSnapshot;
  reload: ReloadStatus | null;
  /** Names, clients and configuration are left out. */
  withheld: boolean;
}

/** Makes a view; `trusted`: for root and the own user, who may see everything. */
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

/** The Corefile as it is shown. */
export function corefileView({ file, text }: CorefileText): CorefileText {
  const cut = text.length <= MAX_COREFILE
    ? text
    : `${text.slice(0, MAX_COREFILE)}\n… (${text.length - MAX_COREFILE} more characters)\n`;
  return { file: visibleTexts(file), text: visibleLines(cut) };
}

function firstOf<T>(all: readonly T[]): T[] {
  return all.slice(0, MAX_ROWS);
}
