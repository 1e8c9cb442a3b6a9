import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
} from "yaml";

/** A fault and its remedy; lines count from 1. */
export interface ManifestFault {
  line: number;
  what: string;
}

/** Result of a check. */
export interface CheckResult {
  faults: ManifestFault[];
  warnings: ManifestFault[];
}

/** A scalar in a manifest. */
export interface Located {
  text: string;
  line: number;
  /** Includes quotes; `end` is exclusive. */
  start: number;
  end: number;
}

/** A key of a ConfigMap. */
export interface ConfigText extends Located {
  configMap: string;
  key: string;
  /** Line n of a literal block is `line + n` of the file. */
  literal: boolean;
}

/** A container that runs node-cache or nodens. */
export interface NodeContainer {
  line: number;
  name: string;
  image: Located | null;
  command: Located[];
  args: Located[];
  memoryLimit: Located | null;
  /** Null for `valueFrom`. */
  env: Map<string, string | null>;
  files: Map<string, ConfigText>;
}

/** Parts relevant to nodens. */
export interface ManifestContent {
  configTexts: ConfigText[];
  containers: NodeContainer[];
  /** If none is recognized. */
  strangers: string[];
  faults: ManifestFault[];
}

/** Above the API server's limit. */
const MAX_LENGTH = 4 * 2 ** 20;

/** Parses a manifest and collects faults. */
export function readManifest(text: string): ManifestContent {
  const failed = (what: string): ManifestContent => ({
    ...{ configTexts: [], containers: [], strangers: [], faults: [{ line: 1, what }] },
  });
  if (text.length > MAX_LENGTH) {
    return failed(`${text.length} characters are too many (${MAX_LENGTH} at most)`);
  }
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
    return readDocuments(Array.isArray(documents) ? documents : [], { text, lines });
  } catch (error) {
    // The library recurses per level.
    if (!(error instanceof RangeError)) throw error;
    return failed("lists or maps are nested too deeply to be read");
  }
}

interface Source {
  readonly text: string;
  readonly lines: LineCounter;
}

function readDocuments(documents: readonly Document.Parsed[], source: Source): ManifestContent {
  const faults = documents.flatMap(({ errors }) => errors)
    .map(({ pos, message }) => ({ line: source.lines.linePos(pos[0]).line, what: message }));
  const content: ManifestContent = { configTexts: [], containers: [], strangers: [], faults };
  if (faults.length > 0) return content;
  const maps = documents.map(({ contents }) => contents).filter((node) => isMap(node));
  const ofKind = (kind: string) => maps.filter((map) => stringAt(map, "kind") === kind);
  content.configTexts.push(...ofKind("ConfigMap").flatMap((map) => readConfigMap(map, source)));
  for (const map of ofKind("DaemonSet")) {
    const pod = map.getIn(["spec", "template", "spec"]);
    if (!isMap(pod)) continue;
    const volumes = readVolumes(pod, content.configTexts);
    const all = mapsOf(pod.get("containers")).map((one) => readContainer(one, volumes, source));
    const recognized = all.filter(isRecognized);
    if (recognized.length > 0) content.containers.push(...recognized);
    else if (all.length === 1) content.containers.push(all[0]!);
    else content.strangers.push(...all.map(({ name }) => name));
  }
  return content;
}

function readConfigMap(map: YAMLMap, source: Source): ConfigText[] {
  const configMap = String(map.getIn(["metadata", "name"]) ?? "");
  const data = map.get("data");
  if (!isMap(data)) return [];
  return data.items.flatMap(({ key, value }) => {
    const located = locate(value, source);
    if (located === null) return [];
    const literal = (value as Scalar).type === "BLOCK_LITERAL";
    return [{ ...located, configMap, key: String(key), literal }];
  });
}

function readContainer(
  map: YAMLMap,
  volumes: ReadonlyMap<string, ReadonlyMap<string, ConfigText>>,
  source: Source,
): NodeContainer {
  const files = new Map<string, ConfigText>();
  for (const mount of mapsOf(map.get("volumeMounts"))) {
    const folder = stringAt(mount, "mountPath").replace(/\/+$/, "");
    const subPath = stringAt(mount, "subPath");
    for (const [path, text] of volumes.get(stringAt(mount, "name")) ?? []) {
      if (subPath === "") files.set(`${folder}/${path}`, text);
      else if (subPath === path) files.set(folder, text);
    }
  }
  const list = (key: string) => {
    const node = map.get(key, true);
    return isSeq(node) ? node.items.flatMap((item) => locate(item, source) ?? []) : [];
  };
  const env = mapsOf(map.get("env")).map((item) =>
    [stringAt(item, "name"), item.has("valueFrom") ? null : stringAt(item, "value")] as const
  );
  return {
    line: source.lines.linePos(map.range![0]).line,
    name: stringAt(map, "name"),
    image: locate(map.get("image", true), source),
    command: list("command"),
    args: list("args"),
    memoryLimit: locate(map.getIn(["resources", "limits", "memory"], true), source),
    env: new Map(env),
    files,
  };
}

function locate(node: unknown, source: Source): Located | null {
  if (!isScalar(node) || node.value === null) return null;
  const [start, end] = (node as ParsedNode & Node).range;
  // Numbers and booleans keep their spelling.
  const text = typeof node.value === "string" ? node.value : source.text.slice(start, end);
  return { text, line: source.lines.linePos(start).line, start, end };
}

function readVolumes(
  pod: YAMLMap,
  texts: readonly ConfigText[],
): Map<string, Map<string, ConfigText>> {
  const volumes = new Map<string, Map<string, ConfigText>>();
  for (const volume of mapsOf(pod.get("volumes"))) {
    const source = volume.get("configMap");
    if (!isMap(source)) continue;
    const items = mapsOf(source.get("items"));
    const files = new Map<string, ConfigText>();
    for (const text of texts) {
      if (text.configMap !== stringAt(source, "name")) continue;
      if (items.length === 0) files.set(text.key, text);
      for (const item of items) {
        if (stringAt(item, "key") === text.key) files.set(stringAt(item, "path"), text);
      }
    }
    volumes.set(stringAt(volume, "name"), files);
  }
  return volumes;
}

function mapsOf(node: unknown): YAMLMap[] {
  return isSeq(node) ? node.items.filter((item) => isMap(item)) : [];
}

function stringAt(map: YAMLMap, key: string): string {
  const value = map.get(key);
  return typeof value === "string" ? value : "";
}

/** By image or distinctive argument. */
function isRecognized({ image, args }: NodeContainer): boolean {
  return /node-cache|nodens/.test(image?.text ?? "") ||
    args.some(({ text }) => /^--?localip(=|$)/.test(text));
}
