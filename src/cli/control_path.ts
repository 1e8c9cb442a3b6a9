/** Control socket of a system's nodens. */
const OF_SYSTEM = "/run/nodens/control.sock";
/** Path or "off"; for containers, whose commands then need no flag. */
const VARIABLE = "NODENS_CONTROL";

/** Where a nodens with `-control auto` opens its socket, the best path first; empty for off. */
export function controlPaths(pidFile = ""): string[] {
  const given = Deno.env.get(VARIABLE) ?? "";
  if (given === "off") return [];
  if (given !== "") return [given];
  if (pidFile !== "") return [`${pidFile.replace(/\.pid$/, "")}.sock`];
  const folder = Deno.env.get("XDG_RUNTIME_DIR") ?? "";
  return folder === "" || Deno.uid() === 0
    ? [OF_SYSTEM]
    : [OF_SYSTEM, `${folder}/nodens/control.sock`];
}
