/** node-cache's labels of set-up errors. */
export const SETUP_ERRORS = [
  "iptables",
  "iptables_lock",
  "interface_add",
  "interface_check",
  "configmap",
] as const;

/** Label of an error. */
export type SetupError = typeof SETUP_ERRORS[number];
