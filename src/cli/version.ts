import manifest from "../../deno.json" with { type: "json" };

/** Version of nodens. */
export const VERSION: string = manifest.version;

/** `nodens-0.1.0` and what it runs on: `linux/x86_64, deno 2.9.6`. */
export function versionText(): string {
  return `nodens-${VERSION}\n${Deno.build.os}/${Deno.build.arch}, deno ${Deno.version.deno}`;
}
