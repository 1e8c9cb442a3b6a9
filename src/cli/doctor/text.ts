import { countStatuses, type Finding, type FindingStatus } from "../../doctor/judge/finding.ts";
import { wrap } from "../wrap.ts";

interface DoctorTextOptions {
  readonly head: string;
  readonly color: boolean;
  readonly width: number;
}

const COLOR: Record<FindingStatus, number> = { ok: 32, warning: 33, problem: 31, skipped: 90 };
const STATUS_WIDTH = 7;
const GAP = "  ";
const MIN_TEXT_WIDTH = 30;

/** Formats the findings. */
export function doctorText(
  findings: readonly Finding[],
  { head, color, width }: DoctorTextOptions,
): string {
  const titleWidth = Math.max(0, ...findings.map(({ title }) => title.length));
  const margin = " ".repeat(STATUS_WIDTH + GAP.length + titleWidth + GAP.length);
  const lines = findings.flatMap(({ status, title, found, remedy }) => {
    const text = remedy === "" ? found : `${found}\nDo: ${remedy}`;
    const room = width - margin.length;
    const [first = "", ...more] = text.split("\n")
      .flatMap((line) => room < MIN_TEXT_WIDTH ? [line] : wrap(line, room));
    const padded = status.padEnd(STATUS_WIDTH);
    const label = color ? `\x1b[${COLOR[status]}m${padded}\x1b[0m` : padded;
    return [
      `${label}${GAP}${title.padEnd(titleWidth)}${GAP}${first}`.trimEnd(),
      ...more.map((line) => `${margin}${line}`),
    ];
  });
  return [head, "", ...lines, "", summary(findings), ""].join("\n");
}

function summary(findings: readonly Finding[]): string {
  const counts = countStatuses(findings);
  const number = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;
  const right = counts.ok === 1 ? "1 check is right" : `${counts.ok} checks are right`;
  return `${number(counts.problem, "problem")}, ${number(counts.warning, "warning")}, ${right}, ` +
    `${counts.skipped} skipped`;
}
