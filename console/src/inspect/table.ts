import { type Cell, csv } from "../parts/csv";
import { type Item, stateOf } from "./item";

const COLUMNS: readonly [name: string, of: (item: Item) => Cell][] = [
  ["file_name", ({ file }) => file.name],
  ["outcome", stateOf],
  ["decision", ({ detection }) => detection?.decision],
  ["class_name", ({ detection }) => detection?.class_name],
  ["class_confidence", ({ detection }) => detection?.class_confidence],
  ["anomaly_score", ({ detection }) => detection?.anomaly_score],
  ["threshold", ({ detection }) => detection?.threshold],
  ["review_threshold", ({ detection }) => detection?.review_threshold],
  ["p_value", ({ detection }) => detection?.p_value],
  ["anomaly_percentage", ({ detection }) => detection?.anomaly_percentage],
  ["regions", ({ detection }) => detection?.regions.length],
  ["reasons", ({ detection }) => detection?.reasons.join(";")],
  [
    "known_defects",
    ({ detection }) => detection?.regions.flatMap(({ defect }) => defect?.name ?? []).join(";"),
  ],
  ["frame_fault", ({ detection }) => detection?.frame_fault],
  ["bank_version", ({ detection }) => detection?.bank_version],
  ["processing_time_ms", ({ detection }) => detection?.processing_time_ms],
  ["detection_id", ({ detection }) => detection?.detection_id],
  ["warnings", ({ detection }) => detection?.warnings.join(";")],
  ["error_code", ({ failure }) => failure?.code],
  ["error", ({ failure }) => failure?.message],
];

/** What was said of pictures as CSV, a picture a line. Its columns are named as the API's fields. */
export function tableOf(items: readonly Item[]): string {
  return csv([COLUMNS.map(([name]) => name), ...items.map((item) => COLUMNS.map(([, of]) => of(item)))]);
}
