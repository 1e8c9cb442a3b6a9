import { EvaluationError, textOf, type Value } from "./values.ts";

/** Widest column and longest fraction: a template is a record of a message. */
const MAX_WIDTH = 255;

/** Formats values as Go's fmt.Sprintf does, what templates need of it. Throws `EvaluationError`. */
export function format(pattern: string, args: readonly Value[]): string {
  let next = 0;
  const text = pattern.replace(
    /%([-+# 0]*)(\*|[0-9]*)(?:\.(\*|[0-9]*))?([^]|$)/gu,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      const size = (field: string) => {
        const value = field === "*" ? Number(args[next++] ?? NaN) : Number(field);
        if (!(Math.abs(value) <= MAX_WIDTH)) {
          throw new EvaluationError(`printf: a width above ${MAX_WIDTH}`);
        }
        return value;
      };
      const columns = size(width);
      const digits = precision === undefined ? null : size(precision);
      if (verb === "") return "%!(NOVERB)";
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const left = flags.includes("-") || columns < 0;
      return pad(formatOne(verb, args[next++]!, flags, digits), Math.abs(columns), {
        left,
        zeros: flags.includes("0") && !left && "dxXobv".includes(verb) && digits === null,
      });
    },
  );
  if (next >= args.length) return text;
  const extra = args.slice(next).map((value) => `${typeName(value)}=${textOf(value)}`);
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}

function formatOne(verb: string, value: Value, flags: string, digits: number | null): string {
  const wrong = () => `%!${verb}(${typeName(value)}=${textOf(value)})`;
  switch (verb) {
    case "v":
      return typeof value === "bigint" ? integer(value, 10, flags, digits) : textOf(value);
    case "d":
      return typeof value === "bigint" ? integer(value, 10, flags, digits) : wrong();
    case "b":
      return typeof value === "bigint" ? integer(value, 2, flags, digits) : wrong();
    case "o":
      return typeof value === "bigint" ? integer(value, 8, flags, digits) : wrong();
    case "x":
    case "X": {
      const text = typeof value === "bigint"
        ? integer(value, 16, flags, digits)
        : typeof value === "string"
        ? hexadecimal(value)
        : wrong();
      return verb === "X" ? text.toUpperCase() : text;
    }
    case "c":
      return typeof value === "bigint" && value >= 0n && value <= 0x10ffffn
        ? String.fromCodePoint(Number(value))
        : wrong();
    case "s":
      if (typeof value === "bigint" || typeof value === "boolean") return wrong();
      return cut(textOf(value), digits);
    case "q":
      return typeof value === "string" ? JSON.stringify(cut(value, digits)) : wrong();
    case "t":
      return typeof value === "boolean" ? String(value) : wrong();
    default:
      return wrong();
  }
}

function integer(value: bigint, base: number, flags: string, digits: number | null): string {
  const sign = value < 0n ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const prefix = flags.includes("#") ? { 2: "0b", 8: "0", 16: "0x" }[base] ?? "" : "";
  const text = (value < 0n ? -value : value).toString(base);
  return sign + prefix + text.padStart(digits ?? 0, "0");
}

function hexadecimal(text: string): string {
  return new TextEncoder().encode(text).toHex();
}

function cut(text: string, length: number | null): string {
  return length === null ? text : [...text].slice(0, length).join("");
}

function pad(text: string, width: number, { left, zeros }: { left: boolean; zeros: boolean }) {
  if (left) return text.padEnd(width);
  if (!zeros) return text.padStart(width);
  const [sign] = /^[-+ ]?/.exec(text)!;
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}

function typeName(value: Value): string {
  if (typeof value === "bigint") return "int";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "float64";
  return Array.isArray(value) ? "[]string" : "map[string]string";
}
