/** Socket of the system's nodens. */
const OF_SYSTEM = "/run/nodens/control.sock";
/** Path or "off", for containers. */
const VARIABLE = "NODENS_CONTROL";

/** Socket paths of `-control auto`, best first; empty for off. */
export function controlPaths(pidFile = ""): string[] {
  const given = Deno.env.get(VARIABLE) ?? "";
  if (given === "off") return [];
  if (given !== "") return [given];
  const besidePid = pidFile === "" ? [] : [`${pidFile.replace(/\.pid$/, "")}.sock`];
  const user = Deno.uid();
  if (user === 0) return [OF_SYSTEM, ...besidePid];
  const folder = Deno.env.get("XDG_RUNTIME_DIR") ?? "";
  const ofSession = folder === "" ? [] : [`${folder}/nodens/control.sock`];
  // Nothing else is writable in containers.
  return [OF_SYSTEM, ...besidePid, ...ofSession, `/tmp/nodens-${user}/control.sock`];
}
