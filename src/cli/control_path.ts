/** Folder of the control socket of a system's nodens. */
const RUN = "/run/nodens";

/** Where a nodens with default flags opens its control socket, the best first. */
export function controlPaths(pidFile = ""): string[] {
  if (pidFile !== "") return [`${pidFile.replace(/\.pid$/, "")}.sock`];
  const own = Deno.env.get("XDG_RUNTIME_DIR") ?? "";
  const ofUser = own === "" ? [] : [`${own}/nodens/control.sock`];
  const ofSystem = `${RUN}/control.sock`;
  return Deno.uid() === 0 ? [ofSystem] : [ofSystem, ...ofUser];
}
