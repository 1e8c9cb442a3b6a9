import { Lazy } from "../../base/lazy.ts";

/** Parts of `cache` that few options need. */
export const KEEP = new Lazy(() => import("./pinned/pinned_names.ts"));
export const SEARCH_CUT = new Lazy(() => import("./search_cut/search_cut.ts"));

/** Parts that only the control plane's requests need. */
export const EXPLAIN = new Lazy(() => import("./explain.ts"));
export const OPERATOR = new Lazy(() => import("./operator/scan.ts"));
export const SNAPSHOT = new Lazy(() => import("./persist/snapshot.ts"));
