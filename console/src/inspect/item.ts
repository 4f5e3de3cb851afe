import type { Detection } from "../api/service";
import { type Outcome, outcomeOf } from "../parts/outcome";

/** A picture that was given, and what came of it; it is replaced, never changed. */
export interface Item {
  readonly id: number;
  readonly file: File;
  /** The class that was named when it came; empty: it is to be found. */
  readonly className: string;
  readonly state: "waiting" | "judging" | "judged" | "failed";
  /** Without the map. */
  readonly detection?: Detection | undefined;
  /** Its anomaly map, a PNG of 16-bit grey; none for an unknown product. */
  readonly map?: Blob | undefined;
  readonly failure?: { code: string; message: string } | undefined;
}

export type State = Outcome | "failed" | "waiting" | "judging";

export function stateOf(item: Item): State {
  if (item.detection) return outcomeOf(item.detection);
  return item.state === "judged" ? "waiting" : item.state;
}

export function isDone(item: Item): boolean {
  return item.state === "judged" || item.state === "failed";
}
