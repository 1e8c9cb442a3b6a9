import type { ClientSource } from "../../control/clients/open.ts";
import { quote } from "../../corefile/quote.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { parseHttpAddress } from "../../plugins/http_address.ts";
import { boolean, FlagError, type FlagValues, text } from "../flags.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const KUBELET_PORT = 10250;

/** Flags of client names. */
export const CLIENT_FLAGS = {
  clients: text("SOURCE", "names of clients: kubelet, or a file or folder of ADDRESS NAME", "off"),
  "clients-kubelet": text("ADDRESS", "HOST or HOST:PORT of the kubelet; default: $HOST_IP"),
  "clients-token": text("FILE", "token for the kubelet", `${ACCOUNT}/token`),
  "clients-ca": text("FILE", "authorities of the kubelet's certificate", `${ACCOUNT}/ca.crt`),
  "clients-insecure": boolean("do not check the kubelet's certificate"),
};

type ClientValues = FlagValues<typeof CLIENT_FLAGS>;

/** Checks flags alone. Throws `FlagError`. */
export function checkClientFlags(values: ClientValues, given: ReadonlySet<string>): void {
  const { clients } = values;
  const others = Object.keys(CLIENT_FLAGS).filter((name) => name !== "clients");
  const idle = others.find((name) => given.has(name));
  if (clients !== "kubelet" && idle !== undefined) {
    throw new FlagError(`flag -${idle}: goes with -clients kubelet`);
  }
  if (clients === "") throw new FlagError("flag -clients: kubelet, a file or off is missing");
  if (values["clients-insecure"] && given.has("clients-ca")) {
    throw new FlagError("flags -clients-ca and -clients-insecure: give one of them");
  }
  if (values["clients-kubelet"] !== "") {
    readAddress("flag -clients-kubelet", values["clients-kubelet"]);
  }
}

/** Source of client names, or null. Throws `FlagError`. */
export function readClientSource(
  values: ClientValues,
  variable: (name: string) => string | undefined,
): ClientSource | null {
  const { clients } = values;
  if (clients === "off") return null;
  if (clients !== "kubelet") return { kind: "files", path: clients };
  const [flag, hostIp] = [values["clients-kubelet"], variable("HOST_IP") ?? ""];
  if (flag === "" && hostIp === "") {
    throw new FlagError(
      "flag -clients: kubelet needs the node's address (-clients-kubelet ADDRESS, or HOST_IP in" +
        " the environment, which is status.hostIP of the pod)",
    );
  }
  return {
    kind: "kubelet",
    ...flag === "" ? readAddress("HOST_IP", hostIp) : readAddress("flag -clients-kubelet", flag),
    nodeName: variable("NODE_NAME") ?? "",
    tokenFile: values["clients-token"],
    caFile: values["clients-insecure"] ? null : values["clients-ca"],
  };
}

function readAddress(where: string, word: string): { host: string; port: number } {
  if (parseAddress(word) !== null) return { host: canonicalAddress(word), port: KUBELET_PORT };
  const address = parseHttpAddress(word);
  if (address !== null && address.host !== "" && address.port > 0) return address;
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(word)) {
    return { host: word, port: KUBELET_PORT };
  }
  throw new FlagError(
    `${where}: ${quote(word)} is not an address (write 192.0.2.1, 192.0.2.1:10250 or` +
      " [2001:db8::1]:10250)",
  );
}
