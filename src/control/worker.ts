/**
 * The data plane's thread. It is told once what to serve, then blocks in its loop; whatever comes
 * later is read from a port when the eventfd wakes it.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { COUNTER, CounterBook } from "../engine/counters.ts";
import { Engine, MAX_EXCHANGES } from "../engine/engine.ts";
import type { LogFields, LogLevel } from "../engine/handler.ts";
import { LinuxDriver } from "../io/linux/driver.ts";
import { hasPatterns } from "../config/patterns.ts";
import { loadPatterns } from "../plugins/errors/pattern.ts";
import { PortableDriver } from "../io/portable/driver.ts";
import { HANDLERS } from "../plugins/handlers.ts";
import { type Lane, laneBuffers, type LaneCommand } from "../io/lane.ts";
import { openLibc } from "../sys/libc.ts";
import type { ControlMessage, DataPlaneMessage, LogEntry, StartMessage } from "./messages.ts";
import { logsStack, panicText } from "./panic_text.ts";

/** Bytes of log lines that may be under way to the control plane; more are dropped and counted. */
const MAX_LOG_BYTES = 1024 * 1024;

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<StartMessage>) => void) | null;
  postMessage(message: DataPlaneMessage, transfer?: ArrayBuffer[]): void;
};

const post = (message: DataPlaneMessage) => scope.postMessage(message);
const toLane = (commands: LaneCommand[]) =>
  scope.postMessage({ type: "lane", commands }, laneBuffers(commands));

scope.onmessage = ({ data }) => {
  scope.onmessage = null;
  if (!hasPatterns(data.config)) start(data);
  else loadPatterns().then(() => start(data));
};

function start(message: StartMessage): void {
  const { config, counters, port, driver: kind } = message;
  const book = new CounterBook(counters, message.places);
  let placesTold = message.places.length;
  /** Tells where new counters lie. */
  const tellPlaces = (): void => {
    if (book.places.length === placesTold) return;
    post({ type: "places", places: book.places.slice(placesTold) });
    placesTold = book.places.length;
  };
  let lines: LogEntry[] = [];
  let lineBytes = 0;
  /** Lines dropped since that was told last. */
  let dropped = 0;
  const log = (level: LogLevel, line: string, fields?: LogFields): void => {
    if (level === "debug" && !config.debug) return;
    const { values } = book;
    const underWay = values[COUNTER.LOG_SENT]! - values[COUNTER.LOG_WRITTEN]! + lineBytes;
    if (underWay > MAX_LOG_BYTES) {
      values[COUNTER.LOG_DROPPED]!++;
      dropped++;
      return;
    }
    lines.push({ level, line, fields });
    lineBytes += fields === undefined ? line.length : 2 * line.length;
  };
  const flushLog = (): void => {
    const { values } = book;
    const underWay = values[COUNTER.LOG_SENT]! - values[COUNTER.LOG_WRITTEN]!;
    // Told once there is room again: not with every turn of the loop.
    if (dropped > 0 && (underWay <= MAX_LOG_BYTES / 2 || !running)) {
      lines.push({
        level: "warning",
        line: `${dropped} log lines were dropped: the control plane is too slow`,
      });
      dropped = 0;
    }
    if (lines.length === 0) return;
    values[COUNTER.LOG_SENT]! += lineBytes;
    post({ type: "log", lines, bytes: lineBytes, timeMs: Date.now() });
    lines = [];
    lineBytes = 0;
  };
  /**
   * Sent when the loop has come round: who asks again at once would otherwise be served again and
   * again while queries wait.
   */
  let answers: DataPlaneMessage[] = [];
  const afterLoop = (): void => {
    flushLog();
    tellPlaces();
    if (answers.length === 0) return;
    answers.forEach(post);
    answers = [];
  };
  const onPanic = (error: unknown): void => {
    log("error", panicText(error, logsStack(config)));
  };

  let engine: Engine | null = null;
  let lane: Lane | null = null;
  let running = true;
  let failing = false;
  /** A request that makes a handler throw costs that request alone. */
  const ask = ({ block, position, request }: ControlMessage & { type: "ask" }): unknown => {
    try {
      return engine!.ask(block, position, request);
    } catch (error) {
      book.values[COUNTER.PANICS]!++;
      onPanic(error);
      return undefined;
    }
  };
  const handle = (control: ControlMessage): void => {
    switch (control.type) {
      case "deliver":
        engine!.deliver(control.block, control.position, control.data);
        break;
      case "lane":
        lane!.receive(control.events);
        break;
      case "ask":
        answers.push({ type: "answered", id: control.id, answer: ask(control) });
        break;
      case "stop":
        running = false;
        break;
      case "fail":
        // Only ever asked for by tests of what the control plane does about it.
        if (control.how === "hang") { for (;;); }
        failing = true;
        running = false;
    }
  };

  /** Lets the handlers say what they have left to say; no query may come afterwards. */
  const retireHandlers = (): void => engine!.configure({ ...config, blocks: [], listeners: [] });

  const options = { onPanic, toLane, afterLoop };
  const makeEngine = (driver: LinuxDriver | PortableDriver): void => {
    engine = new Engine({
      io: driver,
      counters: book,
      random: randomNumbers(),
      handlers: HANDLERS,
      log,
      logsFields: message.logsFields,
      wallMs: Date.now,
      maxExchanges: Math.min(driver.maxExchanges, MAX_EXCHANGES.default),
    });
    lane = driver.lane;
    driver.attach(engine);
    engine.configure(config);
  };

  if (kind === "linux") {
    const driver = new LinuxDriver({
      ...options,
      libc: openLibc(),
      wakeFd: message.wakeFd,
      onWake: () => {
        for (;;) {
          const received = receiveMessageOnPort(port as never);
          if (received === undefined) return running;
          handle(received.message as ControlMessage);
        }
      },
    });
    makeEngine(driver);
    driver.serve(message.sockets);
    tellPlaces();
    post({ type: "ready" });
    driver.run();
    if (failing) throw new Error("asked to fail");
    retireHandlers();
    flushLog();
    post({ type: "stopped" });
    return;
  }

  const driver = new PortableDriver({ ...options, now: () => performance.now() });
  makeEngine(driver);
  port.onmessage = ({ data }: MessageEvent<ControlMessage>) => {
    driver.run(() => handle(data));
    if (!running) {
      retireHandlers();
      driver.stop();
      flushLog();
      post({ type: "stopped" });
      port.close();
    }
  };
  try {
    driver.serve(config.listeners);
    tellPlaces();
    post({ type: "ready" });
  } catch (error) {
    post({ type: "unable", error: (error as Error).message });
  }
}

/** Random numbers from the system's generator, a thousand a call. */
function randomNumbers(): () => number {
  const pool = new Uint32Array(1024);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      crypto.getRandomValues(pool);
      at = 0;
    }
    return pool[at++]!;
  };
}
