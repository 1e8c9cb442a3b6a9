import { command } from "../command.ts";
import { HELP_FLAG, text } from "../flags.ts";
import { PORT_FLAG, QUERY_OPTIONS } from "./options.ts";

/** `nodens query`. */
export const QUERY = command({
  name: "query",
  summary: "ask a server, and print the response as dig does",
  forms: [{ args: "NAME [TYPE] [@SERVER] [-p PORT] [-x ADDRESS] [+OPTION...]" }],
  description: [
    "SERVER is an address or a host name; without one, the first of /etc/resolv.conf is asked.",
  ],
  flags: {
    p: PORT_FLAG,
    x: text("ADDRESS", "ask for the name of this address instead"),
    h: HELP_FLAG,
  },
  ownSyntax: true,
  plusOptions: QUERY_OPTIONS,
  operands: [{ name: "NAME" }, {
    name: "[TYPE]",
    values: ["A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "TXT"],
  }],
  exitCodes: [
    [0, "a response of any code"],
    [1, "a wrong command line"],
    [9, "no response"],
    [10, "the server's name does not resolve, or its response cannot be read"],
  ],
  usageCode: 1,
  load: () => import("./query.ts"),
});
