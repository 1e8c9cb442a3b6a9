import type { Document, LineCounter, Node, ParsedNode, Scalar, YAMLMap } from "yaml";
import type { ManifestFault } from "./fault.ts";
import type { Yaml } from "./yaml.ts";

/** A text in the manifest: its value, and the characters that it takes. */
export interface Located {
  text: string;
  /** Line where it begins. */
  line: number;
  /** From the first character to behind the last one, quotes included. */
  start: number;
  end: number;
}

/** A key of a ConfigMap. */
export interface ConfigText extends Located {
  configMap: string;
  key: string;
  /** Line n of the text is line `line + n` of the file; otherwise it was written in another form. */
  literal: boolean;
}

/** A container that runs node-cache or nodens, and where its files come from. */
export interface NodeContainer {
  /** Where it begins. */
  line: number;
  name: string;
  image: Located | null;
  command: Located[];
  args: Located[];
  memoryLimit: Located | null;
  /** Environment variables; null if something else than the manifest says the value. */
  env: Map<string, string | null>;
  /** Files that ConfigMaps of this manifest are mounted as. */
  files: Map<string, ConfigText>;
}

/** What a manifest says, as far as it concerns nodens. */
export interface ManifestContent {
  configTexts: ConfigText[];
  containers: NodeContainer[];
  /** Containers of DaemonSets of which none seems to be meant. */
  strangers: string[];
  faults: ManifestFault[];
}

/** Longest manifest; the API server takes less. */
export const MAX_MANIFEST_LENGTH = 4 * 2 ** 20;

/** Reads a manifest without changing it. Never throws for what stands in it. */
export function readManifest(text: string, yaml: Yaml): ManifestContent {
  if (text.length > MAX_MANIFEST_LENGTH) {
    const what = `${text.length} characters are too many (${MAX_MANIFEST_LENGTH} at most)`;
    return { configTexts: [], containers: [], strangers: [], faults: [{ line: 1, what }] };
  }
  const lines = new yaml.LineCounter();
  try {
    const documents = yaml.parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
    // Without documents it is an empty list with properties of a document.
    return new Reader(text, yaml, lines).read(Array.isArray(documents) ? documents : []);
  } catch (error) {
    // The library calls itself for each level.
    if (!(error instanceof RangeError)) throw error;
    const what = "lists or maps are nested too deeply to be read";
    return { configTexts: [], containers: [], strangers: [], faults: [{ line: 1, what }] };
  }
}

class Reader {
  readonly #text: string;
  readonly #yaml: Yaml;
  readonly #lines: LineCounter;

  constructor(text: string, yaml: Yaml, lines: LineCounter) {
    this.#text = text;
    this.#yaml = yaml;
    this.#lines = lines;
  }

  read(documents: readonly Document.Parsed[]): ManifestContent {
    const content: ManifestContent = { configTexts: [], containers: [], strangers: [], faults: [] };
    for (const { errors } of documents) {
      for (const { pos, message } of errors) {
        content.faults.push({ line: this.#line(pos[0]), what: message });
      }
    }
    if (content.faults.length > 0) return content;
    const maps = documents.map(({ contents }) => contents).filter((node) => this.#yaml.isMap(node));
    for (const map of maps as YAMLMap[]) {
      if (this.#string(map, "kind") === "ConfigMap") content.configTexts.push(...this.#texts(map));
    }
    for (const map of maps as YAMLMap[]) {
      if (this.#string(map, "kind") === "DaemonSet") this.#readDaemonSet(map, content);
    }
    return content;
  }

  #texts(map: YAMLMap): ConfigText[] {
    const configMap = String(map.getIn(["metadata", "name"]) ?? "");
    const data = map.get("data");
    if (!this.#yaml.isMap(data)) return [];
    return data.items.flatMap(({ key, value }) => {
      const located = this.#located(value);
      if (located === null) return [];
      const literal = (value as Scalar).type === "BLOCK_LITERAL";
      return [{ ...located, configMap, key: String(key), literal }];
    });
  }

  #readDaemonSet(map: YAMLMap, content: ManifestContent): void {
    const pod = map.getIn(["spec", "template", "spec"]);
    if (!this.#yaml.isMap(pod)) return;
    const volumes = this.#volumes(pod, content.configTexts);
    const all = this.#items(pod.get("containers")).map((item) => this.#container(item, volumes));
    const meant = all.filter(isMeant);
    if (meant.length > 0) content.containers.push(...meant);
    else if (all.length === 1) content.containers.push(all[0]!);
    else content.strangers.push(...all.map(({ name }) => name));
  }

  /** Files of each volume by their path in it. */
  #volumes(pod: YAMLMap, texts: readonly ConfigText[]): Map<string, Map<string, ConfigText>> {
    const volumes = new Map<string, Map<string, ConfigText>>();
    for (const volume of this.#items(pod.get("volumes"))) {
      const source = volume.get("configMap");
      if (!this.#yaml.isMap(source)) continue;
      const own = texts.filter(({ configMap }) => configMap === this.#string(source, "name"));
      const items = this.#items(source.get("items"));
      const files = new Map<string, ConfigText>();
      for (const text of own) {
        if (items.length === 0) files.set(text.key, text);
        for (const item of items) {
          if (this.#string(item, "key") === text.key) files.set(this.#string(item, "path"), text);
        }
      }
      volumes.set(this.#string(volume, "name"), files);
    }
    return volumes;
  }

  #container(map: YAMLMap, volumes: Map<string, Map<string, ConfigText>>): NodeContainer {
    const files = new Map<string, ConfigText>();
    for (const mount of this.#items(map.get("volumeMounts"))) {
      const folder = this.#string(mount, "mountPath").replace(/\/+$/, "");
      const subPath = this.#string(mount, "subPath");
      for (const [path, text] of volumes.get(this.#string(mount, "name")) ?? []) {
        if (subPath === "") files.set(`${folder}/${path}`, text);
        else if (subPath === path) files.set(folder, text);
      }
    }
    return {
      line: this.#line(map.range![0]),
      name: this.#string(map, "name"),
      image: this.#located(map.get("image", true)),
      command: this.#strings(map.get("command", true)),
      args: this.#strings(map.get("args", true)),
      memoryLimit: this.#located(map.getIn(["resources", "limits", "memory"], true)),
      env: new Map(
        this.#items(map.get("env")).map((item) => [
          this.#string(item, "name"),
          item.has("valueFrom") ? null : this.#string(item, "value"),
        ]),
      ),
      files,
    };
  }

  #items(node: unknown): YAMLMap[] {
    if (!this.#yaml.isSeq(node)) return [];
    return node.items.filter((item) => this.#yaml.isMap(item)) as YAMLMap[];
  }

  #strings(node: unknown): Located[] {
    if (!this.#yaml.isSeq(node)) return [];
    return node.items.flatMap((item) => this.#located(item) ?? []);
  }

  #string(map: YAMLMap, key: string): string {
    const value = map.get(key);
    return typeof value === "string" ? value : "";
  }

  #located(node: unknown): Located | null {
    const { isScalar } = this.#yaml;
    if (!isScalar(node) || node.value === null) return null;
    const [start, end] = (node as ParsedNode & Node).range;
    // A number or a truth value stands as it was written.
    const text = typeof node.value === "string" ? node.value : this.#text.slice(start, end);
    return { text, line: this.#line(start), start, end };
  }

  #line(offset: number): number {
    return this.#lines.linePos(offset).line;
  }
}

/** By the image or by an argument that only node-cache and nodens have. */
function isMeant({ image, args }: NodeContainer): boolean {
  return /node-cache|nodens/.test(image?.text ?? "") ||
    args.some(({ text }) => /^--?localip(=|$)/.test(text));
}
