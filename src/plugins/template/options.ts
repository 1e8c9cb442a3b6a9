import type { Section } from "../../engine/response/records.ts";

/** A record in Go's template language. */
export interface RecordTemplate {
  section: Section;
  text: string;
}

/** One `template` directive. */
export interface Template {
  zones: string[];
  /** 255 for any. */
  qclass: number;
  qtype: number;
  /** Go syntax; one must match the name. */
  patterns: string[];
  /** In expr-lang: values for the records, then conditions. */
  variables: { name: string; expression: string }[];
  conditions: string[];
  records: RecordTemplate[];
  rcode: number;
  /** Extended DNS Error (RFC 8914). */
  extendedError: { code: number; text: string } | null;
  fallthrough: string[] | null;
}

/** Options of a block's `template` directives. */
export interface TemplateOptions {
  templates: Template[];
}
