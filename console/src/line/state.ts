import { type Outcome, outcomeOf } from "../parts/outcome";
import type { Link, Recorded } from "./Feed";

/** What a tile says first. Only `verdict` may look like one. */
export type Shown =
  | { readonly kind: "connecting" }
  | { readonly kind: "lost"; readonly since: number | null }
  | { readonly kind: "empty" }
  | { readonly kind: "quiet"; readonly seconds: number }
  | { readonly kind: "verdict"; readonly outcome: Outcome; readonly seconds: number };

/** An old verdict must never look live: without a connection, or without a picture for longer than `patience` seconds,
 * there is none. */
export function shownOf(newest: Recorded | undefined, link: Link, patience: number, now: number): Shown {
  if (link.state === "lost") return { kind: "lost", since: link.heard };
  if (link.state === "connecting") return { kind: "connecting" };
  if (!newest) return { kind: "empty" };
  const seconds = Math.max(0, Math.round((now + link.ahead - Date.parse(newest.at)) / 1_000));
  if (seconds > patience) return { kind: "quiet", seconds };
  return { kind: "verdict", outcome: outcomeOf(newest), seconds };
}
