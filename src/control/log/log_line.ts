import type { LogLevel } from "../../engine/handler.ts";

/** How log lines look: CoreDNS's lines, or one JSON object a line. */
export type LogFormat = "text" | "json";

/** One message for the log. */
export interface LogMessage {
  /** `fatal` for last words. */
  level: LogLevel | "fatal";
  line: string;
  /** What the message says, value by value, for `json`. */
  fields?: Readonly<Record<string, unknown>> | undefined;
  /** When, in milliseconds since 1970. */
  timeMs: number;
}

/** Where lines go. */
export interface LogTarget {
  format: LogFormat;
  /** The journal of systemd reads it: lines begin with their priority. */
  journal: boolean;
  /** Lines of text begin with their time, since nobody else keeps it. */
  time: boolean;
}

/** Priorities of syslog (RFC 5424 section 6.2.1), which the journal takes (sd-daemon(3)). */
const PRIORITY: Readonly<Record<LogMessage["level"], number>> = {
  fatal: 2,
  error: 3,
  warning: 4,
  info: 6,
  debug: 7,
};

/** A message as it is written, its line feed included. */
export function logLine(message: LogMessage, { format, journal, time }: LogTarget): string {
  const { level } = message;
  const prefix = journal ? `<${PRIORITY[level]}>` : "";
  if (format === "json") return `${prefix}${jsonOf(message)}\n`;
  const stamp = time ? `${new Date(message.timeMs).toISOString()} ` : "";
  if (!journal) return `${stamp}[${level.toUpperCase()}] ${message.line}\n`;
  // To the journal each line is an entry of its own.
  return `${`${stamp}${message.line}`.split("\n").map((part) => prefix + part).join("\n")}\n`;
}

function jsonOf({ level, line, fields, timeMs }: LogMessage): string {
  const time = new Date(timeMs).toISOString();
  if (fields !== undefined) return JSON.stringify({ time, level, msg: line, ...fields });
  const plugin = /^plugin\/(\w+): /.exec(line)?.[1];
  return JSON.stringify({ time, level, msg: line, ...(plugin === undefined ? {} : { plugin }) });
}
