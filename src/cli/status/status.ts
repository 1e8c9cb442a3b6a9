import { visibleText } from "../../base/visible.ts";
import type { Status } from "../../control/endpoints/status.ts";
import {
  type HttpAddress,
  httpAddressText,
  literalHost,
  parseHttpAddress,
} from "../../plugins/http_address.ts";
import type { Call, CommandIo } from "../command.ts";
import { CommandError } from "../failure.ts";
import { FlagError } from "../flags.ts";
import { statusText } from "./text.ts";

/** `nodens status`. */
export async function run(
  { values: { json, timeout }, rest: [address = ""] }: Call<{ json: boolean; timeout: number }>,
  { output }: CommandIo,
): Promise<number> {
  const text = await fetchStatus(readAddress(address), timeout);
  output.out(visibleText(json ? text : textOf(text)));
  return 0;
}

function textOf(json: string): string {
  try {
    return statusText(JSON.parse(json) as Status);
  } catch (error) {
    throw new CommandError(
      `this is not the status of a nodens of this version: ${
        (error as Error).message
      } (-json shows it)`,
    );
  }
}

function readAddress(text: string): HttpAddress {
  const bare = text.replace(/^http:\/\//, "").replace(/\/(status)?$/, "");
  const address = parseHttpAddress(/:[0-9]+$/.test(bare) ? bare : `${bare}:9153`);
  if (address === null || address.port === 0) {
    throw new FlagError(`"${text}" is not an address (write localhost:9153 or [::1]:9153)`);
  }
  return { ...address, host: address.host || "localhost" };
}

async function fetchStatus({ host, port }: HttpAddress, timeoutSeconds: number): Promise<string> {
  const address = httpAddressText({ host, port });
  const url = `http://${httpAddressText({ host: literalHost(host), port })}/status`;
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    response = await fetch(url, { signal, redirect: "error" });
    text = await response.text();
  } catch (error) {
    if ((error as Error).name === "TimeoutError") {
      throw new CommandError(`${address} has not answered within ${timeoutSeconds} s`);
    }
    throw new CommandError(
      `cannot get http://${address}/status: ${reason(error as Error)} (nodens serves it if its` +
        ` Corefile has "prometheus"; for another address: nodens status ADDRESS)`,
    );
  }
  if (response.status === 404) {
    throw new CommandError(
      `${address} has no /status for this machine: nodens shows it on its own loopback interface` +
        ` alone (run it there, as in "kubectl exec POD -- nodens status"), and other programs not` +
        ` at all`,
    );
  }
  if (response.status === 403) {
    throw new CommandError(
      `${address} shows no status under this name, which could be rebound: write localhost:${port}`,
    );
  }
  if (!response.ok) {
    throw new CommandError(
      `${address} answers ${response.status} to /status: that is not nodens, or an older one`,
    );
  }
  try {
    if ((JSON.parse(text) as Status).blocks !== undefined) return text;
  } catch {
    // Reported below.
  }
  throw new CommandError(`${address} answers, but not with a status: that is not nodens`);
}

function reason({ message, cause }: Error): string {
  const text = `${message} ${cause ?? ""}`;
  if (/refused/i.test(text)) return "nothing listens there";
  if (/dns error|failed to lookup|name or service/i.test(text)) return "the host name is unknown";
  return message;
}
