import { EvaluationError, textOf, type Value } from "./values.ts";

/** Widest column and longest fraction; a template makes a record. */
const MAX_WIDTH = 255;
const BASES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, x: 16, X: 16 };

/** As Go's fmt.Sprintf. Throws `EvaluationError`. */
export function format(pattern: string, args: readonly Value[]): string {
  let next = 0;
  const text = pattern.replace(
    /%([-+# 0]*)(\*|[0-9]*)(?:\.(\*|[0-9]*))?([^]|$)/gu,
    (_, flags: string, width: string, precision: string | undefined, verb: string) => {
      if (verb === "%") return "%";
      const size = (field: string) => {
        const value = field === "*" ? Number(args[next++] ?? NaN) : Number(field);
        if (Math.abs(value) <= MAX_WIDTH) return value;
        throw new EvaluationError(`printf: a width above ${MAX_WIDTH}`);
      };
      const columns = size(width);
      const digits = precision === undefined ? null : size(precision);
      if (verb === "") return "%!(NOVERB)";
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const one = formatOne(verb, args[next++]!, flags, digits);
      if (flags.includes("-") || columns < 0) return one.padEnd(Math.abs(columns));
      const zeros = flags.includes("0") && digits === null && "dxXobv".includes(verb);
      if (!zeros) return one.padStart(columns);
      const [sign] = /^[-+ ]?/.exec(one)!;
      return sign + one.slice(sign.length).padStart(columns - sign.length, "0");
    },
  );
  if (next >= args.length) return text;
  const extra = args.slice(next).map((value) => `${typeName(value)}=${textOf(value)}`);
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}

function formatOne(verb: string, value: Value, flags: string, digits: number | null): string {
  const base = BASES[verb];
  const upper = (text: string) => verb === "X" ? text.toUpperCase() : text;
  if (typeof value === "bigint") {
    if (base !== undefined) return upper(integer(value, base, flags, digits));
    if (verb === "c" && value >= 0n && value <= 0x10ffffn) {
      return String.fromCodePoint(Number(value));
    }
  } else if (typeof value === "boolean") {
    if (verb === "t") return String(value);
  } else if (verb === "s") {
    return cut(textOf(value), digits);
  } else if (typeof value === "string") {
    if (verb === "q") return JSON.stringify(cut(value, digits));
    if (base === 16) return upper(new TextEncoder().encode(value).toHex());
  }
  return verb === "v" ? textOf(value) : upper(`%!${verb}(${typeName(value)}=${textOf(value)})`);
}

function integer(value: bigint, base: number, flags: string, digits: number | null): string {
  const sign = value < 0n ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const prefix = flags.includes("#") ? { 2: "0b", 8: "0", 16: "0x" }[base] ?? "" : "";
  const text = (value < 0n ? -value : value).toString(base);
  return sign + prefix + text.padStart(digits ?? 0, "0");
}

function cut(text: string, length: number | null): string {
  return length === null ? text : [...text].slice(0, length).join("");
}

function typeName(value: Value): string {
  if (typeof value === "bigint") return "int";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "float64";
  return Array.isArray(value) ? "[]string" : "map[string]string";
}
