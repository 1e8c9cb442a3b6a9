import { type ClientName, MAX_CLIENT_NAMES } from "../../engine/observe/client_table.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/** Kubernetes nests about twenty deep. */
const MAX_DEPTH = 64;
/** A name has 253 octets. */
const MAX_TEXT = 512;
/** One of each family is usual. */
const MAX_ADDRESSES = 16;

/** Parts of a document; "[]" stands for list items. */
interface Wanted {
  readonly [key: string]: Wanted | string;
}

const POD: Wanted = {
  metadata: { name: "name", namespace: "namespace" },
  spec: { hostNetwork: "hostNetwork" },
  status: { phase: "phase", podIP: "address", podIPs: { "[]": { ip: "address" } } },
};
const LIST: Wanted = { items: { "[]": POD } };

/** Ended: their addresses may have other owners. */
const ENDED = ["Succeeded", "Failed"];

interface Level {
  readonly isList: boolean;
  readonly wanted: Wanted | null;
  key: string;
}

interface Pod {
  name: string;
  namespace: string;
  hostNetwork: string;
  phase: string;
  readonly addresses: string[];
}

/** Reads pod names from a PodList in pieces (JSON); memory does not grow with its size. */
export class PodListReader {
  readonly names: ClientName[] = [];
  readonly #levels: Level[] = [];
  #pod: Pod = newPod();
  #hasItems = false;
  #expectsKey = false;
  #inText = false;
  #escaped = false;
  #hasEscape = false;
  #collects: "key" | "value" | null = null;
  readonly #text = new Uint8Array(MAX_TEXT);
  #length = 0;
  #literal = "";

  /** Throws `SyntaxError` for invalid JSON. */
  push(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const octet = bytes[i]!;
      if (this.#inText) this.#readText(octet);
      else this.#readMark(octet);
    }
  }

  /** Throws `SyntaxError` if incomplete. */
  end(): ClientName[] {
    if (this.#levels.length > 0 || this.#inText) throw new SyntaxError("the list is cut short");
    if (!this.#hasItems) throw new SyntaxError("it is not a list of pods");
    return this.names;
  }

  get #top(): Level | undefined {
    return this.#levels[this.#levels.length - 1];
  }

  get #wanted(): Wanted | string | null {
    const top = this.#top;
    if (top === undefined) return LIST;
    if (top.wanted === null) return null;
    const key = top.isList ? "[]" : top.key;
    return Object.hasOwn(top.wanted, key) ? top.wanted[key]! : null;
  }

  #readText(octet: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (octet === BACKSLASH) this.#escaped = this.#hasEscape = true;
    else if (octet === QUOTE) {
      this.#inText = false;
      this.#endText();
      return;
    }
    if (this.#collects === null) return;
    if (this.#length < MAX_TEXT) this.#text[this.#length] = octet;
    this.#length++;
  }

  #readMark(octet: number): void {
    switch (octet) {
      case QUOTE:
        this.#inText = true;
        this.#length = 0;
        this.#hasEscape = false;
        if (this.#expectsKey) this.#collects = this.#top!.wanted === null ? null : "key";
        else this.#collects = typeof this.#wanted === "string" ? "value" : null;
        return;
      case OPEN_OBJECT:
      case OPEN_LIST:
        return this.#open(octet === OPEN_LIST);
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        return this.#close(octet === CLOSE_LIST);
      case COLON:
        this.#expectsKey = false;
        return;
      case COMMA:
        this.#endLiteral();
        this.#expectsKey = this.#top?.isList === false;
        return;
      default:
        // Numbers, true, false and null.
        if (octet > SPACE && this.#literal.length < 5) this.#literal += String.fromCharCode(octet);
    }
  }

  #open(isList: boolean): void {
    if (this.#levels.length === MAX_DEPTH) throw new SyntaxError("it is nested too deeply");
    const wanted = this.#wanted;
    if (wanted === LIST.items && isList) this.#hasItems = true;
    if (wanted === POD) this.#pod = newPod();
    this.#levels.push({ isList, wanted: typeof wanted === "string" ? null : wanted, key: "" });
    this.#expectsKey = !isList;
  }

  #close(isList: boolean): void {
    this.#endLiteral();
    const level = this.#levels.pop();
    if (level?.isList !== isList) throw new SyntaxError("its brackets do not match");
    if (level.wanted === POD) this.#addPod();
    this.#expectsKey = false;
  }

  #endLiteral(): void {
    const wanted = this.#wanted;
    if (this.#literal === "") return;
    // Without pods the list is null.
    if (wanted === LIST.items && this.#literal === "null") this.#hasItems = true;
    if (typeof wanted === "string") this.#set(wanted, this.#literal);
    this.#literal = "";
  }

  #endText(): void {
    if (this.#collects === null) {
      // An unread key must replace the one before.
      if (this.#expectsKey) this.#top!.key = "";
      return;
    }
    const text = this.#length > MAX_TEXT ? "" : this.#decode();
    if (this.#collects === "key") this.#top!.key = text;
    else this.#set(this.#wanted as string, text);
  }

  #decode(): string {
    const text = new TextDecoder().decode(this.#text.subarray(0, this.#length));
    if (!this.#hasEscape) return text;
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      throw new SyntaxError("a text of it cannot be read");
    }
  }

  #set(property: string, value: string): void {
    if (property === "address") {
      if (this.#pod.addresses.length < MAX_ADDRESSES) this.#pod.addresses.push(value);
    } else this.#pod[property as "name"] = value;
  }

  #addPod(): void {
    const { name, namespace, hostNetwork, phase, addresses } = this.#pod;
    if (hostNetwork === "true" || ENDED.includes(phase) || name === "" || namespace === "") return;
    for (const address of new Set(addresses)) {
      if (this.names.length > MAX_CLIENT_NAMES) return;
      this.names.push({ address, name: `${namespace}/${name}` });
    }
  }
}

function newPod(): Pod {
  return { name: "", namespace: "", hostNetwork: "", phase: "", addresses: [] };
}
