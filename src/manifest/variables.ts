/** Variables that nodens fills when it starts, as node-cache does; all others must be filled before. */
export const FILLED_AT_START: readonly string[] = [
  "__PILLAR__CLUSTER__DNS__",
  "__PILLAR__UPSTREAM__SERVERS__",
  "__PILLAR__LOCAL__DNS__",
  "__PILLAR__DNS__SERVER__",
];

/** What looks like a variable of the published manifest, known or not. */
export const VARIABLE = /__PILLAR__[A-Z0-9_]*/g;

/** Values for the variables that are filled before a manifest is applied. */
export interface VariableValues {
  localDns: string;
  domain: string;
  /** Null if none was given; what needs it stays. */
  kubeDns: string | null;
  /** How kube-proxy runs. */
  mode: "iptables" | "ipvs";
}

/**
 * Fills the variables of the published manifest as the `sed` commands do that Kubernetes documents
 * ("Using NodeLocal DNSCache in Kubernetes Clusters"): text is replaced wherever it stands, and no
 * line is added or lost.
 *
 * With kube-proxy in IPVS mode the address of the service goes from the list of local ones, and
 * cluster names are asked for there. An IPv6 local address gets the brackets that the page asks for where a port follows.
 */
export function fillVariables(text: string, values: VariableValues): string {
  const { localDns, domain, kubeDns, mode } = values;
  let filled = text;
  if (localDns.includes(":")) {
    filled = replace(filled, /(?<!\[)__PILLAR__LOCAL__DNS__(?=:\d)/g, `[${localDns}]`);
  }
  filled = replace(filled, /__PILLAR__LOCAL__DNS__/g, localDns);
  filled = replace(filled, /__PILLAR__DNS__DOMAIN__/g, domain);
  if (mode === "iptables") {
    return kubeDns === null ? filled : replace(filled, /__PILLAR__DNS__SERVER__/g, kubeDns);
  }
  filled = replace(filled, /,__PILLAR__DNS__SERVER__/g, "");
  return kubeDns === null ? filled : replace(filled, /__PILLAR__CLUSTER__DNS__/g, kubeDns);
}

/** Unlike a replacement text, a function's result has no meaning for `$`. */
function replace(text: string, pattern: RegExp, value: string): string {
  return text.replace(pattern, () => value);
}
