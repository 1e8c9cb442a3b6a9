import type { ListenerConfig } from "../config/types.ts";
import { Address } from "../dns/address.ts";
import type {
  ClientKind,
  DatagramHandler,
  Endpoint,
  Io,
  Side,
  StreamHandler,
} from "../engine/io.ts";
import type { Memory } from "../engine/memory.ts";
import type { Traffic } from "../engine/engine.ts";
import type { FileShares } from "./file_shares.ts";
import { Lane, LANE_STREAMS } from "./lane.ts";
import type { LaneLink } from "./lane_link.ts";
import type { BoundSocket } from "./sockets.ts";

/** The heartbeat interval. */
export const MAX_SLEEP_MS = 1000;

/** Options of every driver. */
export interface DriverOptions {
  files: FileShares;
  afterLoop: () => void;
  onPanic: (error: unknown) => void;
}

/** A reload's effect on a driver. */
export interface ListenerChange {
  readonly listeners: readonly ListenerConfig[];
  readonly opened: readonly BoundSocket[];
  readonly closing: readonly BoundSocket[];
}

/** A listener cannot be opened; nothing has changed. */
export class ListenError extends Error {}

/** See `Io`. */
export interface DriverStream {
  readonly queued: number;
  readonly queueSize: number;
  readonly inKernel: number;
  write(memory: Memory, offset: number, length: number): void;
  pause(paused: boolean): void;
  close(abrupt: boolean): void;
  finish(): void;
}

/** Loop and sockets. Numbers of streams select the driver or its lane. */
export abstract class Driver implements Io {
  readonly lane: Lane;
  protected engine!: Traffic;
  protected laneBusy = false;
  readonly #address = new Address();
  protected abstract readonly streams: {
    connect(endpoint: Endpoint, handler: StreamHandler): number;
    get(stream: number): DriverStream | null;
  };
  protected abstract readonly sockets: Pick<Io, "open" | "send" | "release">;

  constructor({ files }: DriverOptions) {
    this.lane = new Lane(files.encryptedStreams);
  }

  abstract attach(engine: Traffic): void;
  /** Absent if the driver opens sockets. */
  serve?(sockets: readonly BoundSocket[]): void;
  /** `takeOver` switches the configuration. May throw `ListenError`. */
  abstract change(next: ListenerChange, takeOver: () => void): void;
  /** Stops accepting; answers what is in progress. */
  abstract retireAll(): void;
  abstract keep(slot: number): number;
  abstract reply(returnAddress: number, memory: Memory, offset: number, length: number): void;
  abstract forget(returnAddress: number): void;
  abstract address(of: ClientKind, reference: number, side: Side, target: Address): void;

  family(of: ClientKind, reference: number): 4 | 6 {
    this.address(of, reference, "client", this.#address);
    return this.#address.family;
  }

  get drained(): boolean {
    return this.engine.waiting === 0 && this.engine.streams.size === 0;
  }

  /** Without a `link`, new streams fail with `why`. */
  attachLane(link: LaneLink | null, why: string): void {
    this.lane.attach(link, why);
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    return (endpoint.tls === null ? this.streams : this.lane).connect(endpoint, handler);
  }

  write(stream: number, memory: Memory, offset: number, length: number): void {
    if (stream >= LANE_STREAMS) this.lane.write(stream, memory, offset, length);
    else this.streams.get(stream)?.write(memory, offset, length);
  }

  hasRoom(stream: number, length: number): boolean {
    return stream < LANE_STREAMS || this.lane.hasRoom(stream, length);
  }

  queued(stream: number): number {
    if (stream >= LANE_STREAMS) return this.lane.queued(stream);
    return this.streams.get(stream)?.queued ?? 0;
  }

  queueSize(stream: number): number {
    if (stream >= LANE_STREAMS) return this.lane.queued(stream);
    return this.streams.get(stream)?.queueSize ?? 0;
  }

  inKernel(stream: number): number {
    return this.streams.get(stream)?.inKernel ?? 0;
  }

  pause(stream: number, paused: boolean): void {
    this.streams.get(stream)?.pause(paused);
  }

  finish(stream: number): void {
    this.streams.get(stream)?.finish();
  }

  close(stream: number, abrupt = false): void {
    if (stream >= LANE_STREAMS) this.lane.close(stream, abrupt);
    else this.streams.get(stream)?.close(abrupt);
  }

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    return this.sockets.open(endpoint, handler);
  }

  send(socket: number, memory: Memory, offset: number, length: number): boolean {
    return this.sockets.send(socket, memory, offset, length);
  }

  release(socket: number): void {
    this.sockets.release(socket);
  }
}
