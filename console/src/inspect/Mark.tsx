import { Badge } from "../parts/Badge";
import { say } from "../words";
import type { State } from "./item";

/** A verdict, or how far it is. */
export function Mark({ state }: { state: State }) {
  if (state === "failed" || state === "waiting" || state === "judging")
    return <span class={`badge ${state}`}>{say(state)}</span>;
  return <Badge outcome={state} />;
}
