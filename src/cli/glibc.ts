/** Why the C library is unavailable, or null. */
export function glibcFault(): string | null {
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
