/**
 * The attacker's process: waits for a line on standard input, attacks, and prints its findings as
 * JSON. It ends soon after its time.
 */
import { attackNamed } from "../attacks.ts";
import type { Hands } from "./attack.ts";
import { PLACES, SERVER } from "./places.ts";
import { say } from "./say.ts";
import { Socket } from "./sockets.ts";

const TICK_MS = 4;

function hands(seconds: number): Hands {
  const end = performance.now() + seconds * 1000;
  const left = () => end - performance.now();
  const pause = (ms: number) =>
    new Promise<void>((wake) => setTimeout(wake, Math.max(0, Math.min(ms, left()))));
  return {
    seconds,
    left,
    pause,
    udp: (source = {}, options = {}) =>
      Socket.udp({ address: PLACES.attacker, port: 0, ...source }, SERVER, options),
    tcp: (source = {}, { to = SERVER, ...options } = {}) =>
      Socket.tcp({ address: PLACES.attacker, port: 0, ...source }, to, options),
    async paced(rate, act, between) {
      const began = performance.now();
      let turn = 0;
      while (left() > 0) {
        const due = (performance.now() - began) / 1000 * rate;
        while (turn < due && left() > 0) act(turn++);
        between?.();
        await pause(TICK_MS);
      }
      return turn;
    },
  };
}

const [name = "", seconds = "3"] = Deno.args;
const { attack } = attackNamed(name);
say("ready");
await Deno.stdin.read(new Uint8Array(16));
const facts = await attack?.(hands(Number(seconds))) ?? {};
say(JSON.stringify(facts));
Deno.exit(0);
