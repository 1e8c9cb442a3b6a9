import { denoHost } from "../host_deno.ts";
import { ClientNames, type ClientNamesOptions } from "./client_names.ts";
import { FileSource } from "./file_source.ts";
import type { KubeletOptions } from "./kubelet_source.ts";

/** Source of client names. */
export type ClientSource =
  | { readonly kind: "files"; readonly path: string }
  | { readonly kind: "kubelet" } & Omit<KubeletOptions, "interfaces" | "clock">;

/** Starts reading client names. */
export async function openClientNames(
  source: ClientSource,
  options: Omit<ClientNamesOptions, "source">,
): Promise<ClientNames> {
  const names = new ClientNames({ ...options, source: await makeSource(source, options) });
  names.start();
  return names;
}

async function makeSource(
  source: ClientSource,
  { clock, log }: Pick<ClientNamesOptions, "clock" | "log">,
) {
  if (source.kind === "files") return new FileSource(source.path);
  if (source.caFile === null) {
    const line = "clients: the kubelet's certificate is not checked (-clients-insecure): whoever " +
      "answers at its address gets the service account's token";
    log("warning", line);
  }
  const { KubeletSource } = await import("./kubelet_source.ts");
  const interfaces = () => denoHost.interfaces().map(({ address }) => address);
  return new KubeletSource({ ...source, interfaces, ...clock !== undefined && { clock } });
}
