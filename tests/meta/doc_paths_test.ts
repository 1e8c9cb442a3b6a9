import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;
const TOP = /^(?:src|tests|bench|deploy|release|docs|\.ci|\.github)\//;
/** Pages of architecture name files below src/ without it. */
const IN_SRC =
  /^(?:base|cli|config|control|corefile|dns|doctor|engine|follow|io|kernel|loading|manifest|metrics|node|plugins|sys|upstream)\//;

function exists(path: string): boolean {
  try {
    Deno.statSync(ROOT + path);
    return true;
  } catch {
    return false;
  }
}

function* pages(folder = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(ROOT + folder)) {
    const path = folder + name;
    if (isDirectory && !name.startsWith(".") && name !== "dist") yield* pages(`${path}/`);
    else if (name.endsWith(".md") && name !== "CHANGELOG.md") yield path;
  }
}

function anchors(text: string): Set<string> {
  const withoutCode = text.replace(/^```[\s\S]*?^```/gm, "");
  return new Set(
    [...withoutCode.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\w\- ]/g, "").trim().replaceAll(" ", "-")
    ),
  );
}

Deno.test("docs: every path in backticks exists", () => {
  const missing: string[] = [];
  let count = 0;
  for (const page of pages()) {
    const text = Deno.readTextFileSync(ROOT + page).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, path] of text.matchAll(/`([\w./-]+\/[\w./-]*)`/g)) {
      const inSrc = page === "docs/architecture.md" && IN_SRC.test(path!);
      if (!TOP.test(path!) && !inSrc) continue;
      count++;
      if (!exists(path!) && !(inSrc && exists(`src/${path}`))) missing.push(`${page}: ${path}`);
    }
  }
  assert.ok(count > 50, `${count} paths`);
  assert.deepEqual(missing, []);
});

Deno.test("docs: every link leads to a file and a heading that exist", () => {
  const broken: string[] = [];
  let count = 0;
  for (const page of pages()) {
    const text = Deno.readTextFileSync(ROOT + page).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue;
      count++;
      const [path, anchor] = link!.split("#") as [string, string?];
      const target = path === "" ? page : new URL(path, `file:///${page}`).pathname.slice(1);
      if (!exists(target)) broken.push(`${page}: ${link}`);
      else if (anchor !== undefined && target.endsWith(".md")) {
        if (!anchors(Deno.readTextFileSync(ROOT + target)).has(anchor)) {
          broken.push(`${page}: ${link}`);
        }
      }
    }
  }
  assert.ok(count > 100, `${count} links`);
  assert.deepEqual(broken, []);
});
