import { extendedErrorText } from "../../dns/mnemonics.ts";
import { COLUMNS, columns } from "../query/print.ts";

/** Entry of `lookup` and `dump`. */
export interface CachedEntry {
  block: string;
  plane?: number;
  name: string;
  class: string;
  type: string;
  kind: "answer" | "denial" | "failure";
  rcode: string;
  stale: boolean;
  ttlSeconds: number;
  ageSeconds: number;
  servedForSeconds: number;
  pinned?: true;
  hits?: number;
  uses: number;
  upstream?: string;
  dnssecOk: boolean;
  checkingDisabled: boolean;
  subnet?: string;
  scope?: number;
  pauseSeconds?: number;
  error?: { code: number; text: string };
  records: readonly {
    section: "answer" | "authority" | "additional";
    name: string;
    ttlSeconds: number;
    class: string;
    type: string;
    data: string;
  }[];
  omittedRecords?: number;
}

/** Entry as comment and records; further records are comments too. */
export function entryText(entry: CachedEntry): string {
  const { name, type, kind, rcode, records, omittedRecords = 0 } = entry;
  const qclass = entry.class === "IN" ? "" : `${entry.class} `;
  const nodata = rcode === "NOERROR" ? "no data" : rcode;
  const what = [
    ...kind === "answer" ? rcode === "NOERROR" ? [] : [rcode] : [nodata],
    ...variants(entry),
    ...times(entry),
    ...origins(entry),
  ];
  const head = `; ${name} ${qclass}${type}: ${what.join(", ")}\n`;
  const rest = omittedRecords === 0 ? "" : `; (${omittedRecords} more records are not shown)\n`;
  return head + records.map((record) => {
    const line = columns([
      [0, record.section === "answer" ? record.name : `; ${record.name}`],
      [COLUMNS.ttl, String(record.ttlSeconds)],
      [COLUMNS.class, record.class],
      [COLUMNS.type, record.type],
      [COLUMNS.data, record.data],
    ]);
    return line;
  }).join("") + rest;
}

function variants({ dnssecOk, checkingDisabled, subnet, scope }: CachedEntry): string[] {
  const bits = [...dnssecOk ? ["DO"] : [], ...checkingDisabled ? ["CD"] : []];
  return [
    ...bits.length > 0 ? [`for ${bits.join(" and ")}`] : [],
    ...subnet === undefined
      ? []
      : [`for ${subnet === "all" ? "all clients" : subnet}${scope ? ` (scope ${scope})` : ""}`],
  ];
}

function times(entry: CachedEntry): string[] {
  const { stale, ttlSeconds, ageSeconds, servedForSeconds, pinned, pauseSeconds } = entry;
  return [
    stale ? "stale" : `${ttlSeconds} s left`,
    `${ageSeconds} s old`,
    ...pinned
      ? ["kept"]
      : servedForSeconds > ttlSeconds
      ? [`may be served for ${servedForSeconds} s`]
      : [],
    ...pauseSeconds === undefined ? [] : [`no refresh for ${pauseSeconds} s`],
  ];
}

function origins({ upstream, hits, uses, error }: CachedEntry): string[] {
  return [
    ...upstream === undefined ? [] : [`from ${upstream}`],
    hits === undefined ? `uses ${uses}` : `hits ${hits}`,
    ...error === undefined
      ? []
      : [`EDE ${extendedErrorText(error.code)}${error.text && `: ${error.text}`}`],
  ];
}
