import type { Status } from "../../control/endpoints/status.ts";
import { KERNEL_HITS_OFF, namesText } from "../../kernel/status.ts";
import { statusTables } from "../../plugins/statuses.ts";
import { spanText, tableText } from "../table.ts";

/** Formats a status. */
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
  text += reloadText(status) + kernelHitsText(status);

  const addresses = listeners.map(({ address, port, zones }) => [
    `${address.includes(":") ? `[${address}]` : address || "*"}:${port}`,
    zones.join(" "),
  ]);
  text += `\n${tableText([["LISTENER", "ZONES"], ...addresses], [])}`;

  for (const { rows, numbers } of statusTables(blocks)) text += `\n${tableText(rows, numbers)}`;
  return text;
}

function planeText({ answers, heartbeatAgeMs, restarts }: Status["dataPlanes"][number]): string {
  const beat = `last seen ${(heartbeatAgeMs / 1000).toFixed(1)} s ago`;
  const again = restarts === 0 ? "" : `, restarted ${restarts} times`;
  return `Data plane: ${answers ? "answers" : "DOES NOT ANSWER"} (${beat})${again}\n`;
}

/** An older nodens has none. */
function kernelHitsText({ kernelHits = KERNEL_HITS_OFF }: Partial<Status>): string {
  const { state, attach, interfaces, answers, refusals } = kernelHits;
  if (state === "off") return "";
  const where = interfaces.length === 0 ? "" : ` (${attach}: ${namesText(interfaces)})`;
  const count = attach === null ? "" : `, ${answers} answers`;
  const reasons = refusals.map(({ reason, text }) => `  ${reason}: ${text}\n`).join("");
  return `Kernel hits: ${state}${where}${count}\n${reasons}`;
}

function reloadText({ reload }: Status): string {
  if (reload === null) return "Last reload: none\n";
  if (reload.ok) return `Last reload: ${reload.at}, taken over\n`;
  const faults = reload.faults.map((fault) => `  ${fault}\n`).join("");
  return `Last reload: ${reload.at}, REFUSED; the configuration before it is served\n${faults}`;
}
