import type { Dispenser } from "../../corefile/dispenser.ts";
import { unknownOption } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { CLASS, TYPE } from "../../dns/constants.ts";
import { classNumber, rcodeNumber, typeNumber } from "../../dns/mnemonics.ts";
import { readRecord } from "../../dns/record_text/record.ts";
import type { Section } from "../../engine/response/records.ts";
import type { Controller, PluginSetup } from "../controller.ts";
import { compilePattern } from "../pattern.ts";
import { readZones } from "../zones_argument.ts";
import { FIELD_NAMES } from "./data.ts";
import { checkTypes } from "./expression/check_types.ts";
import { nameFault, namesOf } from "./expression/names.ts";
import { ExpressionError } from "./expression/scope.ts";
import { compile } from "./go_template/compile.ts";
import { TemplateError } from "./go_template/values.ts";
import type { RecordTemplate, Template, TemplateOptions } from "./options.ts";

const OPTIONS = [
  ...["match", "var", "expr", "answer", "authority", "additional"],
  ...["rcode", "ederror", "fallthrough", "upstream"],
];
/** Characters of a pattern or template; names have 255 octets. */
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
    zones: names.length > 0 ? readZones(tokens, names) : [...zones],
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
  tokens.eachInBlock((option) => readOption(option, template, controller));
  const { patterns, conditions, records, rcode } = template;
  const everything = template.zones.includes(".") && qtype === TYPE.ANY &&
    (qclass === CLASS.ANY || qclass === CLASS.IN) && patterns.length + conditions.length === 0;
  if (everything && records.length === 0 && rcode === 0) {
    warn(tokens.directiveLine, "it answers every query with no records (name a zone or a match)");
  }
  return template;
}

function readOption(option: string, template: Template, { tokens }: Controller): void {
  const checkLength = (what: string, text: string) => {
    if (text.length <= MAX_TEXT) return;
    throw tokens.error(`the ${what} has ${text.length} characters (at most ${MAX_TEXT})`);
  };
  switch (option) {
    case "match":
      for (const pattern of tokens.someArgs("REGEX...")) {
        checkLength("regular expression", pattern);
        const { error } = compilePattern(pattern);
        if (error !== null) {
          throw tokens.error(`${quote(pattern)} is not a regular expression: ${error}`);
        }
        template.patterns.push(pattern);
      }
      break;
    case "var": {
      const [name, ...words] = tokens.someArgs("NAME EXPRESSION");
      const fault = nameFault(name, namesOf(template.variables));
      if (fault !== null) throw tokens.error(`${quote(name)} cannot be a variable: ${fault}`);
      const expression = words.join(" ");
      checkLength("expression", expression);
      checkExpression(expression, template, tokens);
      template.variables.push({ name, expression });
      break;
    }
    case "expr": {
      const expression = tokens.someArgs("EXPRESSION").join(" ");
      checkLength("expression", expression);
      checkExpression(expression, template, tokens);
      template.conditions.push(expression);
      break;
    }
    case "answer":
    case "authority":
    case "additional":
      for (const text of tokens.someArgs("RECORD")) {
        checkLength("template", text);
        try {
          template.records.push(readRecordTemplate(option, text));
        } catch (error) {
          const what = error instanceof TemplateError ? "a template" : "a record";
          throw tokens.error(`${quote(text)} is not ${what}: ${(error as Error).message}`);
        }
      }
      break;
    case "rcode": {
      const word = tokens.oneArg("CODE");
      const rcode = rcodeNumber(word);
      if (rcode === null) {
        throw tokens.error(`${quote(word)} is not a response code (NOERROR, NXDOMAIN, REFUSED, …)`);
      }
      template.rcode = rcode;
      break;
    }
    case "ederror": {
      const [code, reason = "", ...more] = tokens.someArgs("CODE [REASON]");
      if (!/^[0-9]{1,5}$/.test(code) || Number(code) > MAX_EDE) {
        throw tokens.error(`${quote(code)} is not an extended error (a number of RFC 8914)`);
      }
      if (more.length > 0) {
        throw tokens.error(
          `the reason has several words (write ${quote([reason, ...more].join(" "))})`,
        );
      }
      template.extendedError = { code: Number(code), text: reason };
      break;
    }
    case "fallthrough": {
      const names = tokens.remainingArgs();
      template.fallthrough = names.length > 0 ? readZones(tokens, names) : ["."];
      break;
    }
    case "upstream":
      // CoreDNS accepts and ignores it.
      tokens.remainingArgs();
      break;
    default:
      throw tokens.error(unknownOption(option, OPTIONS));
  }
}

function checkExpression(expression: string, template: Template, tokens: Dispenser): void {
  if (expression === "") throw tokens.error("the expression is missing");
  if (template.variables.length + template.conditions.length >= MAX_EXPRESSIONS) {
    throw tokens.error(`a template has at most ${MAX_EXPRESSIONS} of var and expr`);
  }
  try {
    checkTypes(expression, template);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw tokens.error(`${quote(expression)} is not an expression: ${error.message}`);
  }
}

/** Checks a template, and a record that is always the same. */
function readRecordTemplate(section: Section, text: string): RecordTemplate {
  const program = compile(text, FIELD_NAMES);
  if (program.constant) readRecord(program.evaluate(null));
  return { section, text };
}
