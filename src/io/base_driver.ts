import type { Traffic } from "../engine/engine.ts";
import type { DatagramHandler, Endpoint, Io, StreamHandler } from "../engine/io.ts";
import type { Memory } from "../engine/memory.ts";
import type { FileShares } from "./file_shares.ts";
import { Lane, LANE_STREAMS } from "./lane.ts";
import type { LaneLink } from "./lane_link.ts";

/** Maximum sleep, and so the heartbeat interval. */
export const MAX_SLEEP_MS = 1000;

/** Options of every driver. */
export interface DriverOptions {
  files: FileShares;
  afterLoop: () => void;
  onPanic: (error: unknown) => void;
}

/** A driver's TCP stream; see `Io`. */
export interface DriverStream {
  readonly queued: number;
  readonly queueSize: number;
  readonly inKernel: number;
  write(memory: Memory, offset: number, length: number): void;
  pause(paused: boolean): void;
  close(abrupt: boolean): void;
  finish(): void;
}

/** Streams and sockets by number, common to all drivers. */
export abstract class BaseDriver {
  readonly lane: Lane;
  protected engine!: Traffic;
  protected laneBusy = false;
  protected abstract readonly streams: {
    connect(endpoint: Endpoint, handler: StreamHandler): number;
    get(stream: number): DriverStream | null;
  };
  protected abstract readonly sockets: Pick<Io, "open" | "send" | "release">;

  constructor({ files }: DriverOptions) {
    this.lane = new Lane(files.encryptedStreams);
  }

  get drained(): boolean {
    return this.engine.waiting === 0 && this.engine.streams.size === 0;
  }

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
