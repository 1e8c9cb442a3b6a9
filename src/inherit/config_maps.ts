import type { Document, ParsedNode } from "yaml";

/** A ConfigMap. */
export interface ConfigMap {
  readonly name: string;
  readonly data: ReadonlyMap<string, string>;
}

/** ConfigMaps have at most 1 MiB. */
const MAX_LENGTH = 4 * 2 ** 20;
const REMEDY = "kubectl -n kube-system get configmap coredns coredns-custom -o yaml";

/** ConfigMaps of a YAML or JSON text or List. Throws `SyntaxError` with a line per fault. */
export async function readConfigMaps(text: string): Promise<ConfigMap[]> {
  if (text.length > MAX_LENGTH) {
    throw new SyntaxError(`${text.length} characters are too many (${MAX_LENGTH} at most)`);
  }
  const { parseAllDocuments } = await import("yaml");
  let values: unknown[];
  try {
    const found = parseAllDocuments(text, { prettyErrors: true });
    const documents: Document.Parsed<ParsedNode>[] = Array.isArray(found) ? found : [];
    const faults = documents.flatMap(({ errors }) => errors.map(({ message }) => message));
    if (faults.length > 0) throw new SyntaxError(faults.map(firstLine).join("\n"));
    // The library limits alias expansion.
    values = documents.map((document): unknown => document.toJS());
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new SyntaxError(`it cannot be read: ${firstLine((error as Error).message)}`);
  }
  const maps = values.flatMap((value) =>
    textAt(value, "kind") === "List" ? listAt(value, "items") : [value]
  ).filter((value) => textAt(value, "kind") === "ConfigMap").map(toConfigMap);
  if (maps.length === 0) throw new SyntaxError(`there is no ConfigMap in it (${REMEDY})`);
  return maps;
}

function toConfigMap(value: unknown): ConfigMap {
  const data = Object.entries(recordAt(value, "data"));
  return {
    name: textAt(recordAt(value, "metadata"), "name"),
    data: new Map(data.filter((entry): entry is [string, string] => typeof entry[1] === "string")),
  };
}

function recordAt(value: unknown, key: string): Record<string, unknown> {
  const member = isRecord(value) ? value[key] : null;
  return isRecord(member) ? member : {};
}

function listAt(value: unknown, key: string): unknown[] {
  const member = isRecord(value) ? value[key] : null;
  return Array.isArray(member) ? member : [];
}

function textAt(value: unknown, key: string): string {
  const member = isRecord(value) ? value[key] : null;
  return typeof member === "string" ? member : "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstLine(text: string): string {
  return text.split("\n")[0]!.replace(/:$/, "");
}
