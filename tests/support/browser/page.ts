import { eventually } from "../run/eventually.ts";
import type { DevTools } from "./devtools.ts";

const KEYS: Readonly<
  Record<string, { code: string; windowsVirtualKeyCode: number; text?: string }>
> = {
  Tab: { code: "Tab", windowsVirtualKeyCode: 9 },
  Enter: { code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
  " ": { code: "Space", windowsVirtualKeyCode: 32, text: " " },
};

interface RemoteValue {
  result: { value: unknown };
  exceptionDetails?: { text: string; exception?: { description?: string } };
}

/** A tab of a browser. */
export class BrowserPage {
  /** Errors and warnings of the console, exceptions, failed loads and policy violations. */
  readonly complaints: string[] = [];
  /** Status and address of each response. */
  readonly responses: { status: number; url: string }[] = [];
  readonly #tools: DevTools;
  readonly #session: string;
  readonly #answers = new Map<string, string>();

  private constructor(tools: DevTools, session: string) {
    this.#tools = tools;
    this.#session = session;
    tools.listen(session, (method, params) => this.#hear(method, params));
  }

  /** Opens an empty tab. */
  static async open(tools: DevTools): Promise<BrowserPage> {
    const { targetId } = await tools.send("Target.createTarget", { url: "about:blank" });
    const attached = await tools.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new BrowserPage(tools, attached.sessionId as string);
    for (const domain of ["Page", "Runtime", "Log", "Audits", "Network"]) {
      await page.send(`${domain}.enable`);
    }
    return page;
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#tools.send(method, params, this.#session);
  }

  /** Loads an address, as if typed; the error text if that fails. */
  async go(url: string): Promise<string | undefined> {
    const { errorText } = await this.send("Page.navigate", { url, transitionType: "typed" });
    return errorText as string | undefined;
  }

  /** Value of an expression, as JSON; waits for a promise. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      ...{ expression, returnByValue: true, awaitPromise: true },
    }) as unknown as RemoteValue;
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value as T;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    await eventually(
      async () => {
        if (!await this.value<boolean>(expression)) throw new Error(`Not yet: ${expression}`);
      },
      async () => `${await this.value("document.body?.innerText")}\n${this.complaints.join("\n")}`,
    );
  }

  /** Answers requests for an address in place of its server. */
  async answerFor(url: string, html: string): Promise<void> {
    this.#answers.set(url, btoa(html));
    await this.send("Fetch.enable", { patterns: [{ urlPattern: url }] });
  }

  async press(key: string): Promise<void> {
    const event = { key, ...KEYS[key] };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Colors and motion that the user prefers, and the size of the window. */
  async prefer(
    { scheme, width, height }: { scheme: "light" | "dark"; width: number; height: number },
  ): Promise<void> {
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
    await this.send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: false },
    });
  }

  async screenshot(): Promise<Uint8Array<ArrayBuffer>> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(data as string);
  }

  #hear(method: string, params: Record<string, unknown>): void {
    const text = JSON.stringify(params);
    if (method === "Fetch.requestPaused") {
      const { requestId, request: { url } } = params as {
        requestId: string;
        request: { url: string };
      };
      const answer = { requestId, responseCode: 200, body: this.#answers.get(url) };
      this.send("Fetch.fulfillRequest", answer).catch(() => {});
    }
    if (method === "Network.responseReceived") {
      const { status, url } = params.response as { status: number; url: string };
      this.responses.push({ status, url });
    }
    if (method === "Runtime.exceptionThrown") this.complaints.push(text);
    if (method === "Audits.issueAdded") this.complaints.push(text);
    const { type, entry } = params as { type?: string; entry?: { level: string } };
    if (method === "Runtime.consoleAPICalled" && /error|warning|assert/.test(type ?? "")) {
      this.complaints.push(text);
    }
    if (method === "Log.entryAdded" && /error|warning/.test(entry!.level)) {
      this.complaints.push(text);
    }
  }
}
