/** What reading imports may ask of the machine; `HostView` of `config` is one. */
export interface ImportView {
  env(name: string): string | undefined;
  readTextFile(path: string): string;
  kindOf(path: string): "file" | "directory" | "other" | null;
  readDirectory(path: string): string[];
  absolute(path: string): string;
}

/** The files that an `import` names. */
export interface ImportPaths {
  /** Absolute and sorted. */
  paths: string[];
  /** The name has a wildcard, so that no match is no fault. */
  wildcard: boolean;
}

/**
 * Finds the files that `import PATTERN` in the file `from` names.
 *
 * A path is relative to the file that imports. It may hold one `*` and one `?`, each for characters
 * other than `/`. Throws `SyntaxError` for a pattern with more than that.
 */
export function findImports(pattern: string, from: string, view: ImportView): ImportPaths {
  const directory = cleanPath(view.absolute(from)).replace(/\/[^/]*$/, "");
  const path = cleanPath(pattern.startsWith("/") ? pattern : `${directory}/${pattern}`);
  if (count(path, "*") > 1 || count(path, "?") > 1 || /\[.*\]/s.test(path)) {
    throw new SyntaxError("a path may hold one * and one ?, and no [ ]");
  }
  if (!/[*?]/.test(path)) return { paths: [path], wildcard: false };
  let found = [""];
  for (const segment of path.slice(1).split("/")) {
    if (/[*?]/.test(segment)) {
      const names = segmentPattern(segment);
      found = found.flatMap((parent) =>
        view.readDirectory(parent === "" ? "/" : parent)
          .filter((name) => names.test(name))
          .map((name) => `${parent}/${name}`)
      );
    } else {
      found = found.map((parent) => `${parent}/${segment}`);
    }
  }
  // Directories match too (a mounted ConfigMap has hidden ones), but cannot be meant.
  const paths = found.filter((path) => !["directory", null].includes(view.kindOf(path)));
  return { paths: paths.sort(), wildcard: true };
}

/** An absolute path without `.`, `..` and empty segments. */
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

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
