import { createHash } from "node:crypto";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import type { Origin } from "./origin.ts";
import type { PackageFacts } from "./packages.ts";

/** What a bill of materials is made of. */
export interface Materials {
  readonly version: string;
  readonly origin: Origin;
  readonly packages: readonly PackageFacts[];
  /** `name@version` of the packages that nodens itself imports. */
  readonly imported: readonly string[];
  /** Versions of the runtime and of the engine in it. */
  readonly runtime: { readonly deno: string; readonly v8: string };
}

const { ComponentType, ComponentScope, HashAlgorithm, LifecyclePhase } = Enums;

/**
 * The bill of materials in CycloneDX's JSON (version 1.6): nodens, its packages, the runtime.
 *
 * The same materials give the same text. What only tests and tools use is not part of nodens, and
 * does not stand here; neither does glibc, which is the machine's or the container image's.
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
  more: { version: string; purl: string; license: string; description?: string; group?: string },
): Models.Component {
  const { version, purl, license, description, group } = more;
  return new Models.Component(type, name, {
    version,
    purl,
    bomRef: purl,
    scope: ComponentScope.Required,
    licenses: new Models.LicenseRepository([new Models.SpdxLicense(license)]),
    ...(description === undefined ? {} : { description }),
    ...(group === undefined ? {} : { group }),
  });
}

function packageOf({ name, version, license, sha512, homepage }: PackageFacts): Models.Component {
  const [, group, plain] = /^(?:(@[^/]+)\/)?(.+)$/.exec(name)!;
  // An "@" would begin the version.
  const path = (group === undefined ? "" : `${encodeURIComponent(group)}/`) + plain;
  const one = component(ComponentType.Library, plain!, {
    version,
    purl: `pkg:npm/${path}@${version}`,
    license,
    ...(group === undefined ? {} : { group }),
  });
  one.hashes.set(HashAlgorithm["SHA-512"], sha512);
  if (homepage !== undefined) {
    const { Website } = Enums.ExternalReferenceType;
    one.externalReferences.add(new Models.ExternalReference(homepage, Website));
  }
  return one;
}

/** A UUID that says the same for the same text (RFC 9562, section 5.8). */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
