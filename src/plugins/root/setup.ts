import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../setup.ts";

/** Reads `root PATH`. */
export const rootSetup: PluginSetup = {
  name: "root",
  setup({ tokens, host, setRoot, warn }) {
    let uses = 0;
    tokens.eachUse(() => {
      const { line } = tokens.place;
      const path = tokens.oneArg("PATH");
      if (path === "") throw tokens.error("the path is empty (root PATH)");
      const root = host.absolute(path).replace(/\/+$/, "");
      const kind = root === "" ? "directory" : host.kindOf(root);
      if (kind === null) warn(line, `folder ${quote(path)} does not exist (yet)`);
      else if (kind === "file") warn(line, `${quote(path)} is a file, not a folder`);
      if (++uses > 1) warn(line, "repeated in this server block; the last one counts");
      setRoot(root);
    });
  },
};
