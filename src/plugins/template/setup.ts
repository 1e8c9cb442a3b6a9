import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { CLASS, TYPE } from "../../dns/constants.ts";
import { classNumber, rcodeNumber, typeNumber } from "../../dns/mnemonics.ts";
import { readRecord } from "../../dns/record_text/record.ts";
import type { Section } from "../../engine/response/records.ts";
import type { Controller, PluginSetup } from "../setup.ts";
import { readPattern } from "../pattern.ts";
import { readZones } from "../zones_argument.ts";
import { FIELD_NAMES } from "./data.ts";
import { checkTypes, nameFault } from "./expression/check.ts";
import { compile } from "./go_template/compile.ts";
import type { RecordTemplate, Template, TemplateOptions } from "./options.ts";

/** Characters of a template or expression; names have 255 octets. */
const MAX_TEXT = 10_000;
const MAX_EDE = 0xffff;
/** Each is checked with the variables before it. */
const MAX_EXPRESSIONS = 64;

/** Reads `template CLASS TYPE [ZONE...] { … }`. */
export const templateSetup: PluginSetup = {
  name: "template",
  answers: true,
  describe: (options) => {
    const { templates } = options as TemplateOptions;
    const zones = [...new Set(templates.flatMap(({ zones }) => zones))];
    return `templates answer in ${zones.slice(0, 3).join(", ")}${zones.length > 3 ? ", …" : ""}`;
  },
  setup(controller) {
    const templates: Template[] = [];
    controller.tokens.eachUse(() => templates.push(readTemplate(controller)));
    controller.addHandler({ templates });
  },
};

function readTemplate(controller: Controller): Template {
  const { tokens, zones, warn } = controller;
  const [classWord, typeWord, ...names] = tokens.someArgs("CLASS TYPE [ZONE...]");
  const qclass = classNumber(classWord);
  if (qclass === null) throw tokens.error(`${quote(classWord)} is not a class (IN, CH, HS, ANY)`);
  if (typeWord === undefined) throw tokens.error("the type is missing (template CLASS TYPE)");
  const qtype = typeNumber(typeWord);
  if (qtype === null) throw tokens.error(`${quote(typeWord)} is not a type (A, AAAA, ANY, …)`);
  const template: Template = {
    zones: readZones(tokens, names, zones),
    qclass,
    qtype,
    patterns: [],
    variables: [],
    conditions: [],
    records: [],
    rcode: 0,
    extendedError: null,
    fallthrough: null,
  };
  readOptions(template, tokens);
  const { patterns, conditions, records, rcode } = template;
  const everything = template.zones.includes(".") && qtype === TYPE.ANY &&
    (qclass === CLASS.ANY || qclass === CLASS.IN) && patterns.length + conditions.length === 0;
  if (everything && records.length === 0 && rcode === 0) {
    warn(tokens.directiveLine, "it answers every query with no records (name a zone or a match)");
  }
  return template;
}

function readOptions(template: Template, tokens: Dispenser): void {
  const readRecords = (section: string) => {
    for (const text of tokens.someArgs("RECORD")) {
      template.records.push(readRecordTemplate(tokens, section as Section, text));
    }
  };
  tokens.options({
    match: () => {
      for (const pattern of tokens.someArgs("REGEX...")) {
        readPattern(tokens, pattern);
        template.patterns.push(pattern);
      }
    },
    var: () => {
      const [name, ...words] = tokens.someArgs("NAME EXPRESSION");
      const fault = nameFault(name, template);
      if (fault !== null) throw tokens.error(`${quote(name)} cannot be a variable: ${fault}`);
      template.variables.push({ name, expression: readExpression(tokens, words, template) });
    },
    expr: () => {
      const words = tokens.someArgs("EXPRESSION");
      template.conditions.push(readExpression(tokens, words, template));
    },
    answer: readRecords,
    authority: readRecords,
    additional: readRecords,
    rcode: () => {
      const word = tokens.oneArg("CODE");
      const rcode = rcodeNumber(word);
      if (rcode === null) {
        throw tokens.error(`${quote(word)} is not a response code (NOERROR, NXDOMAIN, REFUSED, …)`);
      }
      template.rcode = rcode;
    },
    ederror: () => {
      const [code, reason = "", ...more] = tokens.someArgs("CODE [REASON]");
      if (!/^[0-9]{1,5}$/.test(code) || Number(code) > MAX_EDE) {
        throw tokens.error(`${quote(code)} is not an extended error (a number of RFC 8914)`);
      }
      if (more.length > 0) {
        const whole = quote([reason, ...more].join(" "));
        throw tokens.error(`the reason has several words (write ${whole})`);
      }
      template.extendedError = { code: Number(code), text: reason };
    },
    fallthrough: () => {
      template.fallthrough = readZones(tokens, tokens.remainingArgs(), ["."]);
    },
    // CoreDNS accepts and ignores it.
    upstream: () => tokens.remainingArgs(),
  });
}

function checkLength(tokens: Dispenser, what: string, text: string): void {
  if (text.length <= MAX_TEXT) return;
  throw tokens.error(`the ${what} has ${text.length} characters (at most ${MAX_TEXT})`);
}

function readExpression(tokens: Dispenser, words: readonly string[], template: Template): string {
  const expression = words.join(" ");
  checkLength(tokens, "expression", expression);
  if (expression === "") throw tokens.error("the expression is missing");
  if (template.variables.length + template.conditions.length >= MAX_EXPRESSIONS) {
    throw tokens.error(`a template has at most ${MAX_EXPRESSIONS} of var and expr`);
  }
  try {
    checkTypes(expression, template);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw tokens.error(`${quote(expression)} is not an expression: ${error.message}`);
  }
  return expression;
}

/** Checks a template, and a record that is always the same. */
function readRecordTemplate(tokens: Dispenser, section: Section, text: string): RecordTemplate {
  checkLength(tokens, "template", text);
  let what = "a template";
  try {
    const program = compile(text, FIELD_NAMES);
    what = "a record";
    if (program.constant) readRecord(program.evaluate(null));
  } catch (error) {
    throw tokens.error(`${quote(text)} is not ${what}: ${(error as Error).message}`);
  }
  return { section, text };
}
