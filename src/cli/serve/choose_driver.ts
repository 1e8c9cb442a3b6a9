import type { DriverKind } from "../../control/plane/messages.ts";
import type { ServeOutput } from "./output.ts";

/** The driver that can serve here; null if the one that was asked for cannot, which is reported. */
export function chooseDriver(
  wanted: DriverKind | "auto",
  output: ServeOutput,
): DriverKind | null {
  if (wanted === "portable") return "portable";
  const why = linuxDriverMissing();
  if (why === null) return "linux";
  if (wanted === "linux") {
    output.fail(`Cannot use the linux driver: ${why} (use -io portable)`);
    return null;
  }
  output.logger.log("warning", `using the portable driver, at about four times the CPU: ${why}`);
  return "portable";
}

function linuxDriverMissing(): string | null {
  if (Deno.build.os !== "linux") return `this is ${Deno.build.os}`;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "FFI is not allowed (--allow-ffi)";
  }
  try {
    Deno.dlopen("libc.so.6", {}).close();
    return null;
  } catch (error) {
    return `glibc cannot be opened: ${(error as Error).message}`;
  }
}
