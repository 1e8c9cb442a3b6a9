import type { Graph } from "./graph.ts";

/** Where packages lie in an executable, by their names below it. */
const PACKAGES = ".deno_compile_node_modules/localhost/";
/** What is embedded besides modules and packages. */
const BESIDES = ["deno.json"];
/** `├── name (1KB)`, with `│ ` or two spaces for each folder around it. */
const ROW = /^((?:│ | {2})*)[├└]─[─┬] (.+?) \([^()]*\)$/;

/**
 * Reads what `deno compile` says that it embeds: paths from the root of the sources, and `name/*`
 * where it does not go into a folder.
 */
export function parseListing(text: string): string[] {
  const paths: string[] = [];
  const folders: string[] = [];
  for (const line of text.split("\n")) {
    const [, indent, name] = ROW.exec(line) ?? [];
    if (indent === undefined || name === undefined) continue;
    folders.length = indent.length / 2;
    const isFolder = line.includes("─┬ ");
    if (isFolder) folders.push(name);
    else paths.push([...folders, name].join("/"));
  }
  return paths;
}

/**
 * What is embedded and should not be, and what should be and is not, one a line; empty is right.
 *
 * A listing of a whole folder counts for all of it, since compiling sees a copy of the modules alone.
 */
export function compareEmbedded(listing: readonly string[], graph: Graph): string[] {
  const wanted = [
    ...BESIDES,
    ...graph.modules,
    ...graph.packages.map(({ name, version }) => `${PACKAGES}${name}/${version}/*`),
  ];
  const covers = (listed: string, path: string) =>
    listed === path || (listed.endsWith("/*") && path.startsWith(listed.slice(0, -1)));
  return [
    ...wanted.filter((path) => !listing.some((listed) => covers(listed, path)))
      .map((path) => `not embedded: ${path}`),
    ...listing.filter((listed) => !wanted.some((path) => covers(listed, path)))
      .map((path) => `embedded in vain: ${path}`),
  ];
}
