import { type Flag, HELP_FLAG } from "../flags.ts";

/** Announced size that fits every path (DNS flag day 2020); waiting time and tries are dig's. */
export const BOUNDS = {
  bufsize: { default: 1232, min: 0, max: 65535 },
  time: { default: 5, min: 1, max: 3600 },
  tries: { default: 3, min: 1, max: 100 },
  port: { default: 53, min: 1, max: 65535 },
} as const;

/** Flags of `nodens query`, for help; dig's, with one dash. */
export const QUERY_FLAGS: readonly Flag[] = [
  { name: "p", kind: "number", value: "PORT", default: BOUNDS.port.default, help: "port to ask" },
  {
    name: "x",
    kind: "text",
    value: "ADDRESS",
    default: "",
    help: "ask for the name of this address instead",
  },
  HELP_FLAG,
];

/** The `+options`, for help. */
export const QUERY_OPTIONS: readonly Flag[] = [
  { name: "short", kind: "boolean", default: false, help: "print the records' data alone" },
  { name: "tcp", kind: "boolean", default: false, help: "ask over TCP" },
  { name: "dnssec", kind: "boolean", default: false, help: "ask for DNSSEC records" },
  { name: "norec", kind: "boolean", default: false, help: "ask without recursion" },
  {
    name: "bufsize",
    kind: "number",
    value: "N",
    default: BOUNDS.bufsize.default,
    help: "UDP payload size to announce",
  },
  {
    name: "time",
    kind: "number",
    value: "SECONDS",
    default: BOUNDS.time.default,
    help: "wait for each try",
  },
  {
    name: "tries",
    kind: "number",
    value: "N",
    default: BOUNDS.tries.default,
    help: "times to ask",
  },
];
