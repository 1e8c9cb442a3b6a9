/** What a Corefile and its imports read of the machine. */
export interface ImportView {
  env(name: string): string | undefined;
  /** Throws errors like `Deno.errors.NotFound`. */
  readTextFile(path: string): string;
  /** "other" is a FIFO, device or socket. */
  kindOf(path: string): "file" | "directory" | "other" | null;
  /** Sorted; empty if unreadable. */
  readDirectory(path: string): string[];
  absolute(path: string): string;
}

/** Absolute, sorted matches relative to `from`; at most one `*` and `?`. Throws `SyntaxError`. */
export function findImports(pattern: string, from: string, view: ImportView): string[] {
  const directory = cleanPath(view.absolute(from)).replace(/\/[^/]*$/, "");
  const path = cleanPath(pattern.startsWith("/") ? pattern : `${directory}/${pattern}`);
  const bracket = path.indexOf("[");
  const brackets = bracket >= 0 && path.includes("]", bracket);
  if (brackets || path.split("*").length > 2 || path.split("?").length > 2) {
    throw new SyntaxError("a path may contain one * and one ?, and no [ ]");
  }
  if (!/[*?]/.test(path)) return [path];
  let found = [""];
  for (const segment of path.slice(1).split("/")) {
    const names = /[*?]/.test(segment) ? segmentPattern(segment) : null;
    found = found.flatMap((parent) =>
      names === null
        ? [`${parent}/${segment}`]
        : view.readDirectory(parent || "/").filter((name) => names.test(name))
          .map((name) => `${parent}/${name}`)
    );
  }
  // ConfigMaps have hidden directories that match.
  return found.filter((path) => !["directory", null].includes(view.kindOf(path))).sort();
}

function cleanPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

function segmentPattern(segment: string): RegExp {
  const literal = segment.replace(/[.+^${}()|\\[\]]/g, "\\$&");
  return new RegExp(`^${literal.replace("*", ".*").replace("?", ".")}$`, "su");
}
