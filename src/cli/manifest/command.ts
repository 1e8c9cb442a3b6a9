import { command } from "../command.ts";
import { MANIFEST_FLAGS } from "./args.ts";

/** `nodens manifest`. */
export const MANIFEST = command({
  name: "manifest",
  summary: "print a manifest for Kubernetes",
  forms: [
    { args: "-kubedns ADDRESS [FLAGS]", summary: "print a manifest for Kubernetes" },
    { args: "-from FILE [FLAGS]", summary: "fill the one that Kubernetes publishes" },
    { args: "-check FILE [FLAGS]", summary: "find the faults of one" },
    { args: "-inherit FILE …", summary: "with what CoreDNS is configured to add" },
  ],
  flags: MANIFEST_FLAGS,
  exitCodes: [
    [0, "printed, or no fault found"],
    [1, "a manifest has faults, and nothing is printed"],
    [2, "a wrong flag"],
  ],
  load: () => import("./manifest.ts"),
});
