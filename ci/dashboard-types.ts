// What a dashboard of this repository may say, in Grafana's own types.
//
// ci/monitoring puts the JSON behind this as `const dashboard: Json<Board> = {..}`
// and lets TypeScript judge: a key that Grafana does not know, a missing one or a
// value of the wrong kind is an error. `Panel` of @grafana/schema leaves options,
// fields and queries open, so each kind of panel in use is spelt out.

import type * as grafana from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
    FieldConfig as TimeSeriesField,
    Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** The type as JSON has it: an enum is one of its values. */
export type Json<T> = T extends string
    ? `${T}`
    : T extends number
      ? number extends T
          ? number
          : `${T}` extends `${infer N extends number}`
            ? N
            : never
      : T extends object
        ? { [K in keyof T]: Json<T[K]> }
        : T;

/** A query as the Prometheus data source reads it. */
interface Query {
    refId: string;
    datasource: { type: "prometheus"; uid: "adit-prometheus" };
    expr: string;
    legendFormat: string;
    range?: boolean;
    instant?: boolean;
}

interface FieldDefaults<Custom> extends Omit<grafana.FieldConfig, "custom" | "unit"> {
    unit: string;
    custom: Custom;
}

interface Visual<Kind extends string, Options, Custom>
    extends Omit<grafana.Panel, "type" | "options" | "fieldConfig" | "targets"> {
    type: Kind;
    title: string;
    description: string;
    options: Options;
    fieldConfig: { defaults: FieldDefaults<Custom>; overrides: [] };
    targets: Query[];
}

type AnyPanel =
    | Visual<"timeseries", TimeSeriesOptions, TimeSeriesField>
    | (Omit<Visual<"stat", StatOptions, never>, "fieldConfig"> & {
          fieldConfig: { defaults: Omit<FieldDefaults<never>, "custom">; overrides: [] };
      })
    | grafana.RowPanel;

/** An annotation from a Prometheus query, which the schema leaves to the data source. */
interface PrometheusAnnotation extends grafana.AnnotationQuery {
    expr: string;
    step: string;
    titleFormat: string;
    textFormat: string;
}

export interface Board extends Omit<grafana.Dashboard, "panels" | "annotations"> {
    uid: string;
    title: string;
    panels: AnyPanel[];
    annotations: { list: (grafana.AnnotationQuery | PrometheusAnnotation)[] };
}
