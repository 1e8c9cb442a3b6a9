/** A fence of a page. */
export interface Fence {
  /** Of its first line. */
  line: number;
  lines: readonly string[];
}

/** A command as typed at a prompt, and what it prints. */
export interface Transcript {
  line: number;
  command: string;
  output: readonly string[];
}

const PROMPT = "$ ";

const LANGUAGES = ["```", "```sh"];

/** Returns the fences of a Markdown page with commands, outputs and log lines. */
export function readFences(markdown: string): Fence[] {
  const lines = markdown.split("\n");
  const fences: Fence[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (!lines[i]!.startsWith("```")) continue;
    const end = lines.indexOf("```", i + 1);
    if (LANGUAGES.includes(lines[i]!)) fences.push({ line: i + 2, lines: lines.slice(i + 1, end) });
    i = end;
  }
  return fences;
}

/** Splits a fence at its prompts; empty if it does not begin with one. */
export function readTranscripts({ line, lines }: Fence): Transcript[] {
  const starts = lines.flatMap((text, i) => text.startsWith(PROMPT) ? [i] : []);
  if (starts[0] !== 0) return [];
  return starts.map((start, i) => ({
    line: line + start,
    command: lines[start]!.slice(PROMPT.length),
    output: lines.slice(start + 1, starts[i + 1]),
  }));
}

/** Reduces a line to its words: numbers, times, addresses and columns' padding do not count. */
export function shapeOf(line: string): string {
  return line
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?/g, "0")
    .replace(/\d+([.:]\d+)*/g, "0")
    // Durations and sizes have units by their size.
    .replace(/\b0 ?(d|h|m|s|ms|min|µs|MiB|KiB)(?!\w)( 0(h|m|s)\b)*/g, "0 UNIT")
    .replace(/\b0\+/g, "0")
    .replace(/[ \t]+/g, " ")
    .trim();
}

/** Stands for lines that the page leaves out. */
const LEFT_OUT = "...";
/** Ends a line that the page shortens. */
const SHORTENED = "…";

/** Returns the first line of a page that is not what was printed; null if there is none. */
export function differenceOf(
  page: readonly string[],
  printed: readonly string[],
): string | null {
  let at = 0;
  let skips = false;
  for (const line of page) {
    if (line === LEFT_OUT) {
      skips = true;
      continue;
    }
    const is = (other: string) => hasShape(other, line);
    const found = skips ? printed.findIndex((other, i) => i >= at && is(other)) : at;
    if (found < 0 || found >= printed.length || !is(printed[found]!)) {
      return `the page has:   ${line}\nnodens printed: ${printed[at] ?? "nothing more"}`;
    }
    at = found + 1;
    skips = false;
  }
  if (skips || at === printed.length) return null;
  return `the page ends before: ${printed[at]}`;
}

/** Whether a printed line has the shape of a page's. */
export function hasShape(printed: string, line: string): boolean {
  if (!line.endsWith(SHORTENED)) return shapeOf(printed) === shapeOf(line);
  return shapeOf(printed).startsWith(shapeOf(line.slice(0, -SHORTENED.length)));
}
