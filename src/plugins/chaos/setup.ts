import type { PluginSetup } from "../controller.ts";

/** Longest text of a TXT record's string (RFC 1035 section 3.3). */
const MAX_OCTETS = 255;

/** Options of a `chaos` directive: the texts that it answers with, each at most 255 octets. */
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

function cut(text: string): string {
  let octets = new TextEncoder().encode(text).subarray(0, MAX_OCTETS);
  // Not in the middle of a character.
  while (octets.length > 0 && octets.length === MAX_OCTETS && (octets.at(-1)! & 0xc0) === 0x80) {
    octets = octets.subarray(0, -1);
  }
  return new TextDecoder().decode(octets);
}
