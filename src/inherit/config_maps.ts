/** A ConfigMap. */
export interface ConfigMap {
  readonly name: string;
  readonly data: ReadonlyMap<string, string>;
}

/** ConfigMaps have at most 1 MiB. */
const MAX_LENGTH = 4 * 2 ** 20;
const REMEDY = "kubectl -n kube-system get configmap coredns coredns-custom -o yaml";

/** A member may be missing, or of another type. */
interface KubernetesObject {
  readonly kind?: unknown;
  readonly items?: unknown;
  readonly metadata?: { readonly name?: unknown } | null;
  readonly data?: unknown;
}

/** ConfigMaps of a YAML or JSON text or List. Throws `SyntaxError` with a line per fault. */
export async function readConfigMaps(text: string): Promise<ConfigMap[]> {
  if (text.length > MAX_LENGTH) {
    throw new SyntaxError(`${text.length} characters are too many (${MAX_LENGTH} at most)`);
  }
  const { parseAllDocuments } = await import("yaml");
  let objects: (KubernetesObject | null)[];
  try {
    const found = parseAllDocuments(text);
    const documents = Array.isArray(found) ? found : [];
    const faults = documents.flatMap(({ errors }) => errors.map(({ message }) => message));
    if (faults.length > 0) throw new SyntaxError(faults.map(firstLine).join("\n"));
    // The library limits alias expansion.
    objects = documents.map((document) => document.toJS());
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new SyntaxError(`it cannot be read: ${firstLine((error as Error).message)}`);
  }
  const maps = objects
    .flatMap((one) => one?.kind === "List" && Array.isArray(one.items) ? one.items : [one])
    .filter((one) => one?.kind === "ConfigMap").map(toConfigMap);
  if (maps.length === 0) throw new SyntaxError(`there is no ConfigMap in it (${REMEDY})`);
  return maps;
}

function toConfigMap({ metadata, data }: KubernetesObject): ConfigMap {
  const name = metadata?.name;
  const entries = Object.entries(typeof data === "object" ? data ?? {} : {});
  return {
    name: typeof name === "string" ? name : "",
    data: new Map(entries.filter((one): one is [string, string] => typeof one[1] === "string")),
  };
}

function firstLine(text: string): string {
  return text.split("\n")[0]!.replace(/:$/, "");
}
