import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { Graph, Package } from "./graph.ts";
import type { Origin } from "./origin.ts";

const { ComponentType, ComponentScope, ExternalReferenceType, HashAlgorithm, LifecyclePhase } =
  Enums;

export interface PackageFacts extends Omit<Package, "folder"> {
  readonly license: string;
  readonly licenseText: string;
  readonly sha512: string;
  readonly homepage: string | undefined;
}

/** Reads all packages. Throws if a licence or lock entry is missing. */
export function readPackages(root: string, graph: Graph): PackageFacts[] {
  const lock = JSON.parse(Deno.readTextFileSync(`${root}deno.lock`)) as {
    npm: Record<string, { integrity: string }>;
  };
  return graph.packages.map(({ folder, ...one }) => {
    const { name, version } = one;
    const { license, homepage } = JSON.parse(
      Deno.readTextFileSync(`${folder}/package.json`),
    ) as { license?: string; homepage?: string };
    if (typeof license !== "string") throw new Error(`Cannot read the licence of ${name}`);
    const file = [...Deno.readDirSync(folder)].map((entry) => entry.name)
      .find((file) => /^licen[cs]e(\.md|\.txt)?$/i.test(file));
    if (file === undefined) throw new Error(`Cannot find the licence's text of ${name}`);
    const integrity = lock.npm[`${name}@${version}`]?.integrity ?? "";
    const [, base64] = /^sha512-([A-Za-z0-9+/=]+)$/.exec(integrity) ?? [];
    if (base64 === undefined) throw new Error(`Cannot find ${name}@${version} in deno.lock`);
    return {
      ...one,
      license,
      licenseText: Deno.readTextFileSync(`${folder}/${file}`),
      sha512: Buffer.from(base64, "base64").toString("hex"),
      homepage,
    };
  });
}

export function noticeText(packages: readonly PackageFacts[]): string {
  const head = "nodens contains these packages, and the Deno runtime (MIT, https://deno.com).\n";
  const parts = packages.map(({ name, version, license, licenseText }) =>
    `${name} ${version} (${license})\n\n${licenseText.trim()}\n`
  );
  return [head, ...parts].join(`\n${"-".repeat(78)}\n\n`);
}

export interface Materials {
  readonly version: string;
  readonly origin: Origin;
  readonly packages: readonly PackageFacts[];
  readonly imported: readonly string[];
  readonly runtime: { readonly deno: string; readonly v8: string };
}

/**
 * The bill of materials in CycloneDX JSON 1.6: nodens, its packages, the runtime; reproducible.
 * Omits test and tool dependencies, and the machine's glibc.
 */
export function billOfMaterials(materials: Materials): string {
  const { version, origin, packages, imported, runtime } = materials;
  const nodens = component(ComponentType.Application, "nodens", {
    version,
    purl: `pkg:generic/nodens@${version}`,
    license: "Apache-2.0",
    description: "DNS cache for every node",
  });
  nodens.properties.add(new Models.Property("nodens:commit", origin.commit));
  const deno = component(ComponentType.Platform, "deno", {
    version: runtime.deno,
    purl: `pkg:github/denoland/deno@v${runtime.deno}`,
    license: "MIT",
    description: "The runtime that the executable is made of (denort)",
  });
  const v8 = component(ComponentType.Library, "v8", {
    version: runtime.v8,
    purl: `pkg:generic/v8@${runtime.v8}`,
    license: "BSD-3-Clause",
    description: "The JavaScript engine in Deno",
  });
  const byId = new Map(packages.map((one) => [`${one.name}@${one.version}`, packageOf(one)]));
  const find = (id: string) => {
    const found = byId.get(id);
    if (found === undefined) throw new Error(`Cannot find the package ${id}`);
    return found.bomRef;
  };
  nodens.dependencies.add(deno.bomRef);
  deno.dependencies.add(v8.bomRef);
  for (const id of imported) nodens.dependencies.add(find(id));
  for (const { name, version, needs } of packages) {
    for (const id of needs) byId.get(`${name}@${version}`)!.dependencies.add(find(id));
  }
  const bom = new Models.Bom({
    metadata: new Models.Metadata({
      timestamp: new Date(origin.epochSeconds * 1000),
      component: nodens,
      lifecycles: new Models.LifecycleRepository([LifecyclePhase.Build]),
    }),
    components: new Models.ComponentRepository([deno, v8, ...byId.values()]),
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(materials))}`,
  });
  const normalizers = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  const serializer = new Serialize.JsonSerializer(normalizers);
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function component(
  type: Enums.ComponentType,
  name: string,
  { license, purl, ...more }: {
    version: string;
    purl: string;
    license: string;
    description?: string;
    group?: string;
  },
): Models.Component {
  return new Models.Component(type, name, {
    ...more,
    purl,
    bomRef: purl,
    scope: ComponentScope.Required,
    licenses: new Models.LicenseRepository([new Models.SpdxLicense(license)]),
  });
}

function packageOf({ name, version, license, sha512, homepage }: PackageFacts): Models.Component {
  const [, group, plain] = /^(?:(@[^/]+)\/)?(.+)$/.exec(name)!;
  // In a purl, "@" begins the version.
  const path = (group === undefined ? "" : `${encodeURIComponent(group)}/`) + plain;
  const one = component(ComponentType.Library, plain!, {
    version,
    purl: `pkg:npm/${path}@${version}`,
    license,
    ...group !== undefined && { group },
  });
  one.hashes.set(HashAlgorithm["SHA-512"], sha512);
  if (homepage !== undefined) {
    const reference = new Models.ExternalReference(homepage, ExternalReferenceType.Website);
    one.externalReferences.add(reference);
  }
  return one;
}

/** A UUID derived from a text (RFC 9562, section 5.8). */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
