/** A message of the DevTools protocol. */
interface Message {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

type Listener = (method: string, params: Record<string, unknown>) => void;

/** A connection to a browser that speaks the Chrome DevTools protocol. */
export class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #listeners = new Map<string, Listener>();
  readonly #closed = Promise.withResolvers<void>();
  #next = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("The browser has ended"));
      this.#waiting.clear();
      this.#closed.resolve();
    };
  }

  static async open(url: string): Promise<DevTools> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`Cannot connect to ${url}`));
    });
    return new DevTools(socket);
  }

  /** Sends a command to the browser, or to a page of it; rejects if it fails. */
  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    this.#socket.send(JSON.stringify({ id, method, params, ...sessionId && { sessionId } }));
    return waiting.promise.catch((error: Error) => {
      throw new Error(`Cannot ${method}: ${error.message}`);
    });
  }

  /** Hears the events of a page. */
  listen(sessionId: string, listener: Listener): void {
    this.#listeners.set(sessionId, listener);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
  }

  #receive({ id, method, sessionId, params, result, error }: Message): void {
    if (id === undefined) {
      this.#listeners.get(sessionId ?? "")?.(method ?? "", params ?? {});
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result ?? {});
    else waiting?.reject(new Error(error.message));
  }
}
