import { boolean, number, port } from "../flags.ts";

/** dig's `-p`. */
export const PORT_FLAG = port(53, "port to ask");

/** dig's options; the size fits every path (DNS flag day 2020). */
export const QUERY_OPTIONS = {
  short: boolean("print the records' data alone"),
  tcp: { ...boolean("ask over TCP"), alias: "vc" },
  dnssec: { ...boolean("ask for DNSSEC records"), alias: "do" },
  norec: { ...boolean("ask without recursion"), alias: "norecurse" },
  bufsize: number("N", 1232, "UDP payload size to announce", { min: 0, max: 65535 }),
  time: number("SECONDS", 5, "wait for each try", { min: 1, max: 3600 }),
  tries: number("N", 3, "times to ask", { min: 1, max: 100 }),
};
