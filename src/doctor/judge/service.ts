import type { AddressOrWhy } from "../../node/template/template.ts";
import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";

const CHECK: Check = { id: "service", title: "Service of kube-dns" };

/** The Service that the template forwards the cluster's names to. */
export interface ServiceFacts {
  /** `-upstreamsvc`; null without a template. */
  readonly service: string | null;
  readonly address: AddressOrWhy;
  /** The template needs it. */
  readonly needed: boolean;
  readonly localIps: readonly string[];
}

/** Whether the address to forward to is known, and is another one than nodens's own. */
export function judgeService({ service, address, needed, localIps }: ServiceFacts): Finding {
  if (service === null) return skipped(CHECK, "no template: nothing asks for a Service");
  if ("why" in address) {
    const remedy =
      `make the Service (kubectl -n kube-system get service ${service}) before the pod` +
      " starts; kubelet sets the variable in pods of the same namespace. On a node's own shell, set" +
      " it by hand for the doctor";
    return needed
      ? problem(CHECK, address.why, remedy)
      : skipped(CHECK, `${address.why}; the template does not need it`);
  }
  if (localIps.includes(address.address)) {
    const found = `the Service ${service} is at ${address.address}, which -localip has too`;
    const remedy = "make a second Service with the same selector (kube-dns-upstream), and name it" +
      " with -upstreamsvc";
    return needed
      ? problem(CHECK, `${found}: nodens would ask itself`, remedy)
      : warning(CHECK, found, remedy);
  }
  return ok(CHECK, `${service} is at ${address.address}`);
}
