import type { Command } from "../command.ts";
import { QUERY_FLAGS, QUERY_OPTIONS } from "./flags.ts";

/** Description of `nodens query`. */
export const QUERY: Command = {
  name: "query",
  summary: "ask a server, and print the response as dig does",
  forms: [{ args: "NAME [TYPE] [@SERVER] [-p PORT] [-x ADDRESS] [+OPTION...]" }],
  description: [
    "SERVER is an address or a host name; without one, the first of /etc/resolv.conf is asked.",
  ],
  flags: QUERY_FLAGS,
  oneDash: true,
  plusOptions: QUERY_OPTIONS,
  operands: [{ name: "NAME" }, {
    name: "[TYPE]",
    values: ["A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "TXT"],
  }],
  exitCodes: [
    [0, "a response came, whatever its code"],
    [1, "a command line that cannot be understood"],
    [9, "no response"],
    [10, "the server's name does not resolve, or its response cannot be read"],
  ],
  usageCode: 1,
  async load() {
    const { runQuery } = await import("./query.ts");
    return (args, { output }) => runQuery(args, output);
  },
};
