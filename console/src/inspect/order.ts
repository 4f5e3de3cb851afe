import { type Item, type State, stateOf } from "./item";

/** What the list can be sorted by; `order` is that in which the pictures came. */
export type Column = "order" | "name" | "verdict" | "class" | "score" | "time";

/** Which items are shown, in which order. */
export interface Arrangement {
  readonly column: Column;
  readonly falling: boolean;
  /** Those with this outcome alone; null: all. */
  readonly only: State | null;
}

export const AS_THEY_CAME: Arrangement = { column: "order", falling: false, only: null };

export function arranged(items: readonly Item[], { column, falling, only }: Arrangement): readonly Item[] {
  const chosen = only === null ? items : items.filter((item) => stateOf(item) === only);
  return sorted(chosen, column, falling);
}

/** Sorted by a column: figures fall first, names rise; a second time the other way round, then as they came. */
export function sortedBy(column: Column, before: Arrangement): Arrangement {
  const first = column === "score" || column === "time";
  if (before.column !== column) return { ...before, column, falling: first };
  if (before.falling === first) return { ...before, falling: !first };
  return { ...before, column: "order", falling: false };
}

/** What asks for a person's eyes first. */
const WORST_FIRST: readonly State[] = [
  "reject",
  "knownDefect",
  "unlikeClass",
  "cameraFault",
  "unknownProduct",
  "failed",
  "review",
  "pass",
  "judging",
  "waiting",
];

/** The items in the order of a column; what has no value there comes last in both directions. */
function sorted(items: readonly Item[], column: Column, falling: boolean): readonly Item[] {
  const keys = items.map((item, place) => ({ item, key: keyOf(item, column, place) }));
  const sign = falling ? -1 : 1;
  keys.sort(({ key: one }, { key: other }) => {
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    if (typeof one === "string" && typeof other === "string")
      return sign * one.localeCompare(other, undefined, { numeric: true });
    return sign * (Number(one) - Number(other));
  });
  return keys.map(({ item }) => item);
}

function keyOf(item: Item, column: Column, place: number): string | number | null {
  switch (column) {
    case "order":
      return place;
    case "name":
      return item.file.name;
    case "verdict":
      return WORST_FIRST.indexOf(stateOf(item));
    case "class":
      return item.detection?.class_name ?? null;
    case "score":
      return item.detection?.anomaly_score ?? null;
    case "time":
      return item.detection?.processing_time_ms ?? null;
  }
}

/** How many items have which outcome, the worst first. */
export function counted(items: readonly Item[]): readonly (readonly [State, number])[] {
  const counts = new Map<State, number>();
  for (const item of items) counts.set(stateOf(item), (counts.get(stateOf(item)) ?? 0) + 1);
  return WORST_FIRST.flatMap((state) =>
    counts.has(state) ? [[state, counts.get(state) as number] as const] : [],
  );
}
