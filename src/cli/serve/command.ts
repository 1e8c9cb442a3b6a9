import { command } from "../command.ts";
import { SERVE_FLAGS } from "./flags.ts";

/** Serving: without a name. */
export const SERVE = command({
  name: "",
  summary: "serve a Corefile",
  forms: [{ args: "[FLAGS]" }],
  flags: SERVE_FLAGS,
  exitCodes: [
    [0, "stopped by SIGTERM or SIGINT"],
    [1, "a fault in the Corefile, or a port that cannot be opened"],
    [2, "a wrong flag"],
    [3, "a data plane has died or hangs, and cannot be replaced"],
  ],
  load: () => import("./serve.ts"),
});
