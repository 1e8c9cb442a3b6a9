import { Buffer } from "node:buffer";
import type { Graph, Package } from "./graph.ts";

/** What a bill of materials and a notice say of a package. */
export interface PackageFacts {
  readonly name: string;
  readonly version: string;
  /** `name@version` of each package that it needs. */
  readonly needs: readonly string[];
  /** SPDX name of its licence. */
  readonly license: string;
  /** Text of its licence. */
  readonly licenseText: string;
  /** SHA-512 of the package as the registry has it, in hexadecimal digits. */
  readonly sha512: string;
  /** Where its makers are, if they say so. */
  readonly homepage: string | undefined;
}

/** Reads the facts of all packages; throws where one has no licence or stands in no lock file. */
export function readPackages(root: string, graph: Graph): PackageFacts[] {
  const lock = JSON.parse(Deno.readTextFileSync(`${root}deno.lock`)) as {
    npm: Record<string, { integrity: string }>;
  };
  return graph.packages.map((one) => {
    const { name, version, needs, folder } = one;
    const manifest = JSON.parse(Deno.readTextFileSync(`${folder}/package.json`)) as {
      license?: string;
      homepage?: string;
    };
    const { license, homepage } = manifest;
    if (typeof license !== "string") throw new Error(`Cannot read the licence of ${name}`);
    const sha512 = hexDigits(lock.npm[`${name}@${version}`]?.integrity ?? "");
    if (sha512 === null) throw new Error(`Cannot find ${name}@${version} in deno.lock`);
    return { name, version, needs, license, licenseText: licenseText(one), sha512, homepage };
  });
}

/** The notice that the licences of the packages ask for. */
export function noticeText(packages: readonly PackageFacts[]): string {
  const head = "nodens contains these packages, and the Deno runtime (MIT, https://deno.com).";
  const parts = packages.map(({ name, version, license, licenseText }) =>
    `${name} ${version} (${license})\n\n${licenseText.trim()}\n`
  );
  return [head + "\n", ...parts].join(`\n${"-".repeat(78)}\n\n`);
}

function licenseText({ name, folder }: Package): string {
  const found = [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .find((file) => /^licen[cs]e(\.md|\.txt)?$/i.test(file));
  if (found === undefined) throw new Error(`Cannot find the licence's text of ${name}`);
  return Deno.readTextFileSync(`${folder}/${found}`);
}

function hexDigits(integrity: string): string | null {
  const [, base64] = /^sha512-([A-Za-z0-9+/=]+)$/.exec(integrity) ?? [];
  return base64 === undefined ? null : Buffer.from(base64, "base64").toString("hex");
}
