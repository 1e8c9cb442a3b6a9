import type { PlannedPage } from "./plan.ts";
import { INSTALL } from "./plan_install.ts";
import { KUBERNETES, MIGRATE } from "./plan_kubernetes.ts";
import { OPERATIONS } from "./plan_operations.ts";
import { README, TRY } from "./plan_try.ts";

/** Every page whose commands are held to. */
export const PAGES: readonly PlannedPage[] = [
  README,
  TRY,
  INSTALL,
  KUBERNETES,
  MIGRATE,
  OPERATIONS,
];
