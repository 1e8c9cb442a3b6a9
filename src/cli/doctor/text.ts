import { countStatuses, type Finding, type FindingStatus } from "../../doctor/judge/finding.ts";

/** How a text is to look. */
export interface DoctorTextOptions {
  /** The first line. */
  readonly head: string;
  /** For a terminal. */
  readonly color: boolean;
  /** Columns that a line may take; longer ones are broken between words. */
  readonly width: number;
}

/** Colours of the statuses (SGR). */
const COLOR: Record<FindingStatus, number> = { ok: 32, warning: 33, problem: 31, skipped: 90 };
const STATUS_WIDTH = 7;
const GAP = "  ";
/** Where there is less room than this, lines are left whole. */
const MIN_TEXT_WIDTH = 30;

/** The findings as people read them: a line a check, and below what to do, and a line of sums. */
export function doctorText(findings: readonly Finding[], options: DoctorTextOptions): string {
  const { head, color } = options;
  const paint = (status: FindingStatus, text: string) =>
    color ? `\x1b[${COLOR[status]}m${text}\x1b[0m` : text;
  const titleWidth = Math.max(0, ...findings.map(({ title }) => title.length));
  const margin = " ".repeat(STATUS_WIDTH + GAP.length + titleWidth + GAP.length);
  const lines = findings.flatMap(({ status, title, found, remedy }) => {
    const [first = "", ...more] = [
      ...wrap(found, options.width - margin.length),
      ...(remedy === "" ? [] : wrap(`Do: ${remedy}`, options.width - margin.length)),
    ];
    const label = paint(status, status.padEnd(STATUS_WIDTH));
    return [
      `${label}${GAP}${title.padEnd(titleWidth)}${GAP}${first}`.trimEnd(),
      ...more.map((line) => `${margin}${line}`),
    ];
  });
  return [head, "", ...lines, "", summary(findings), ""].join("\n");
}

/** How many of what: `2 problems, 1 warning, 12 checks are right, 3 skipped`. */
export function summary(findings: readonly Finding[]): string {
  const counts = countStatuses(findings);
  const number = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;
  const right = counts.ok === 1 ? "1 check is right" : `${counts.ok} checks are right`;
  return `${number(counts.problem, "problem")}, ${number(counts.warning, "warning")}, ${right}, ` +
    `${counts.skipped} skipped`;
}

function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    if (width < MIN_TEXT_WIDTH) return [line];
    const lines: string[] = [];
    let current = "";
    for (const word of line.split(" ")) {
      if (current !== "" && current.length + 1 + word.length > width) {
        lines.push(current);
        current = word;
      } else current = current === "" ? word : `${current} ${word}`;
    }
    return [...lines, current];
  });
}
