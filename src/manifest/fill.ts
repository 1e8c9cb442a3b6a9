import type { NodeContainer } from "./documents.ts";

/** Anything in the form of a variable. */
export const VARIABLE = /__(?:PILLAR|PROMETHEUS)__[A-Z0-9_]*/g;

/** Values of variables. */
export interface VariableValues {
  localDns: string;
  domain: string;
  /** Null leaves dependent variables. */
  kubeDns: string | null;
  mode: "iptables" | "ipvs";
}

/**
 * Fills variables like the `sed` commands in "Using NodeLocal DNSCache in Kubernetes Clusters". In
 * IPVS mode cluster names go to the service's address, which is not local. IPv6 addresses get
 * brackets before a port.
 */
export function fillVariables(
  text: string,
  { localDns, domain, kubeDns, mode }: VariableValues,
): string {
  const ipvs = mode === "ipvs";
  const rules: [pattern: RegExp, value: string | null][] = [
    [/(?<!\[)__PILLAR__LOCAL__DNS__(?=:\d)/g, localDns.includes(":") ? `[${localDns}]` : null],
    [/__PILLAR__LOCAL__DNS__/g, localDns],
    [/__PILLAR__DNS__DOMAIN__/g, domain],
    [/,__PILLAR__DNS__SERVER__/g, ipvs ? "" : null],
    [ipvs ? /__PILLAR__CLUSTER__DNS__/g : /__PILLAR__DNS__SERVER__/g, kubeDns],
  ];
  return rules.reduce(
    (filled, [pattern, value]) => value === null ? filled : filled.replace(pattern, () => value),
    text,
  );
}

/** Replaces images; keeps other text. */
export function setImage(
  text: string,
  containers: readonly NodeContainer[],
  image: string,
): string {
  // Backwards, to keep offsets valid.
  const places = containers.flatMap(({ image }) => image ?? []).sort((a, b) => b.start - a.start);
  return places.reduce((changed, { start, end }) => {
    const quote = /^["']/.exec(text.slice(start, end))?.[0] ?? "";
    return changed.slice(0, start) + quote + image + quote + changed.slice(end);
  }, text);
}

/** Why an image cannot be pulled: a bare name is Docker Hub's official one. */
export function pullFault(image: string): string | null {
  if (image.includes("/")) return null;
  return `no node can pull "${image}": the name has no registry (write` +
    " REGISTRY/NAME:TAG of the one that you have pushed, by -image; or load it into every node)";
}
