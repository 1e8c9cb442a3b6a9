/** Grafana's types for dashboards in JSON, with the panels used here. */
import type {
  Dashboard,
  FieldConfig,
  Panel,
  RowPanel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

/** A type in JSON: enumerations are strings, methods are absent. */
type Written<T> = T extends string ? `${T}`
  : T extends readonly (infer Item)[] ? Written<Item>[]
  : T extends object ? { [Key in keyof T as T[Key] extends Method ? never : Key]: Written<T[Key]> }
  : T;

/** The same, all optional: Grafana has defaults. */
type Filled<T> = T extends string ? `${T}`
  : T extends readonly (infer Item)[] ? Filled<Item>[]
  : T extends object ? { [Key in keyof T]?: Filled<T[Key]> }
  : T;

type Method = (...args: never[]) => unknown;

interface PanelOf<Type extends string, Options, Custom>
  extends Omit<Written<Panel>, "type" | "targets" | "options" | "fieldConfig"> {
  type: Type;
  targets: Written<Dataquery>[];
  options: Filled<Options>;
  fieldConfig: {
    defaults: Omit<Written<FieldConfig>, "custom"> & { custom?: Filled<Custom> };
    overrides: [];
  };
}

/** The type of deploy/grafana/nodens.json. */
export interface DashboardJson extends Omit<Written<Dashboard>, "panels"> {
  panels: (
    | Written<RowPanel>
    | PanelOf<"stat", stat.Options, never>
    | PanelOf<"timeseries", timeseries.Options, timeseries.FieldConfig>
  )[];
}
