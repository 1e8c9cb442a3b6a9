import { visibleJson, visibleText } from "../../base/visible.ts";
import type { LogLevel } from "../../engine/handler.ts";

/** CoreDNS's lines, or JSON objects. */
export type LogFormat = "text" | "json";

/** Log message; `fields` are for JSON. */
export interface LogMessage {
  level: LogLevel | "fatal";
  line: string;
  fields?: Readonly<Record<string, unknown>> | undefined;
  timeMs: number;
}

/** Format of lines. */
export interface LogTarget {
  format: LogFormat;
  journal: boolean;
  time: boolean;
}

/** Syslog priorities (RFC 5424 section 6.2.1) for the journal (sd-daemon(3)). */
const PRIORITY = { fatal: 2, error: 3, warning: 4, info: 6, debug: 7 };

/** Formats a message. */
export function logLine(message: LogMessage, { format, journal, time }: LogTarget): string {
  const { level, timeMs } = message;
  const prefix = journal ? `<${PRIORITY[level]}>` : "";
  if (format === "json") return `${prefix}${jsonOf(message)}\n`;
  const line = visibleText(message.line);
  const stamp = time ? `${new Date(timeMs).toISOString()} ` : "";
  if (!journal) return `${stamp}[${level.toUpperCase()}] ${line}\n`;
  // Each line is a journal entry.
  return `${`${stamp}${line}`.split("\n").map((part) => prefix + part).join("\n")}\n`;
}

function jsonOf({ level, line, fields, timeMs }: LogMessage): string {
  const plugin = /^plugin\/(\w+): /.exec(line)?.[1];
  const more = fields ?? (plugin === undefined ? {} : { plugin });
  return visibleJson({ time: new Date(timeMs).toISOString(), level, msg: line, ...more });
}
