import type { PluginSetup } from "../setup.ts";

/** Of a TXT string (RFC 1035 section 3.3). */
const MAX_OCTETS = 255;

/** 255 octets each. */
export interface ChaosOptions {
  version: string;
  authors: string[];
  hostname: string;
}

/** Reads `chaos [VERSION] [AUTHORS...]`. */
export const chaosSetup: PluginSetup = {
  name: "chaos",
  answers: true,
  describe: () => "version.bind and the like are answered here",
  setup({ tokens, host, addHandler }) {
    let options: ChaosOptions | null = null;
    tokens.eachUse(() => {
      const [version = "nodens", ...authors] = tokens.remainingArgs().map(cut);
      // As in CoreDNS, the first use counts.
      options ??= {
        version,
        authors: authors.length > 0 ? [...new Set(authors)].sort() : ["the nodens authors"],
        hostname: cut(host.hostname() || "localhost"),
      };
    });
    if (options !== null) addHandler(options);
  },
};

/** Cuts at a character boundary. */
function cut(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(MAX_OCTETS));
  return text.slice(0, read);
}
