import { linuxReasons, missing } from "../run/require.ts";
import { uniqueName } from "../run/unique_name.ts";

export function namespaceReasons(...binaries: string[]): string[] {
  const reasons = [...linuxReasons(), ...missing(["ip", ...binaries])];
  if (reasons.length > 0) return reasons;
  const name = uniqueName("nodens");
  const { success } = ip("netns", "add", name);
  if (success) ip("netns", "delete", name);
  return success ? [] : ["no network namespace can be made (not root?)"];
}

/** A network namespace with only lo, which is up. */
export class Namespace {
  readonly name: string = uniqueName("nodens");

  constructor() {
    this.#must("netns", "add", this.name);
    this.ip("link", "set", "lo", "up");
  }

  ip(...args: string[]): string {
    return this.#must("-n", this.name, ...args);
  }

  // deno-lint-ignore no-explicit-any
  json(...args: string[]): any[] {
    return JSON.parse(this.ip("-json", ...args) || "[]");
  }

  can(...args: string[]): boolean {
    return ip("-n", this.name, ...args).success;
  }

  sysctl(path: string, value: string): void {
    const script = `echo ${value} > /proc/sys/net/${path}`;
    this.#must("netns", "exec", this.name, "sh", "-c", script);
  }

  exec(...command: string[]): string[] {
    return ["netns", "exec", this.name, ...command];
  }

  /** Deletes it; processes inside must have ended. */
  remove(): void {
    this.#must("netns", "delete", this.name);
  }

  #must(...args: string[]): string {
    const { success, stdout, stderr } = ip(...args);
    const decoder = new TextDecoder();
    if (success) return decoder.decode(stdout);
    throw new Error(`Cannot run "ip ${args.join(" ")}": ${decoder.decode(stderr).trim()}`);
  }
}

function ip(...args: string[]): Deno.CommandOutput {
  return new Deno.Command("ip", { args, stdin: "null" }).outputSync();
}
