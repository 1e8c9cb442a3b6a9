import type { Status } from "../../control/endpoints/status.ts";
import { tableText } from "../table.ts";

/** A status as people read it. */
export function statusText(status: Status): string {
  const { version, pid, driver, corefile, uptimeSeconds, queries, listeners, blocks } = status;
  let text = `nodens ${version}, process ${pid}, up for ${spanText(uptimeSeconds)}, ` +
    `driver ${driver}, ${corefile}\n`;
  text += status.dataPlanes.map(planeText).join("");
  text += `Queries: ${queries.udp} UDP, ${queries.tcp} TCP; refused ${queries.refused}, ` +
    `shed ${queries.shed}, no queries ${queries.dropped}\n`;
  if (status.panics > 0) text += `Exceptions survived: ${status.panics} (the log has them)\n`;
  const { droppedLines } = status.log;
  if (droppedLines > 0) text += `Log: ${droppedLines} lines dropped (nobody read fast enough)\n`;
  text += reloadText(status);

  const addresses = listeners.map(({ address, port, zones }) => [
    `${address.includes(":") ? `[${address}]` : address || "*"}:${port}`,
    zones.join(" "),
  ]);
  text += `\n${tableText([["LISTENER", "ZONES"], ...addresses], [])}`;

  const caches = blocks.flatMap(({ cache }) =>
    cache === null ? [] : [[
      cache.zones.join(" "),
      ratioText(cache.success.entries, cache.success.capacity),
      ratioText(cache.denial.entries, cache.denial.capacity),
      cache.capacityBytes === null
        ? bytesText(cache.bytes)
        : `${bytesText(cache.bytes)} of ${bytesText(cache.capacityBytes)}`,
      String(cache.requests),
      cache.hitRatio === null ? "-" : `${(100 * cache.hitRatio).toFixed(1)} %`,
      String(cache.servedStale),
      String(cache.evictions),
    ]]
  );
  if (caches.length > 0) {
    const heads = ["CACHE", "ANSWERS", "DENIALS", "MEMORY", "QUERIES", "HITS", "STALE", "EVICTED"];
    text += `\n${tableText([heads, ...caches], heads.slice(1))}`;
  }

  const upstreams = blocks.flatMap(({ zones, forwards }) =>
    forwards.flatMap(({ from, upstreams }) => {
      const forward = from === "." || zones.includes(from) ? zones.join(" ") : from;
      if (upstreams.length === 0) return [[forward, "(none known)", "-", "-", "-", "-"]];
      return upstreams.map(({ to, state, rttMs, replies, failures }) => [
        forward,
        to,
        state,
        rttMs === null ? "-" : `${rttMs.toFixed(1)} ms`,
        String(replies),
        String(failures),
      ]);
    })
  );
  if (upstreams.length > 0) {
    const heads = ["FORWARD", "UPSTREAM", "STATE", "RTT", "REPLIES", "FAILURES"];
    text += `\n${tableText([heads, ...upstreams], ["RTT", "REPLIES", "FAILURES"])}`;
  }
  return text;
}

function planeText(
  { answers, heartbeatAgeMs, restarts }: Status["dataPlanes"][number],
): string {
  const beat = `last seen ${(heartbeatAgeMs / 1000).toFixed(1)} s ago`;
  const again = restarts === 0 ? "" : `, restarted ${restarts} times`;
  return `Data plane: ${answers ? "answers" : "DOES NOT ANSWER"} (${beat})${again}\n`;
}

function reloadText({ reload }: Status): string {
  if (reload === null) return "Last reload: none\n";
  if (reload.ok) return `Last reload: ${reload.at}, taken over\n`;
  const faults = reload.faults.map((fault) => `  ${fault}\n`).join("");
  return `Last reload: ${reload.at}, REFUSED; the configuration before it is served\n${faults}`;
}

function ratioText(entries: number, capacity: number): string {
  return `${entries} of ${capacity}`;
}

function bytesText(bytes: number): string {
  if (bytes < 2 ** 10) return `${bytes} B`;
  return bytes < 2 ** 20
    ? `${(bytes / 2 ** 10).toFixed(1)} KiB`
    : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Seconds as the two largest units: `3d 4h`, `2m 5s`. */
function spanText(seconds: number): string {
  const units: [string, number][] = [
    ["d", Math.floor(seconds / 86_400)],
    ["h", Math.floor(seconds / 3600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ];
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return "0s";
  return units.slice(first, first + 2).map(([unit, count]) => `${count}${unit}`).join(" ");
}
