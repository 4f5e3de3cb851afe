import type { Detection } from "../api/service";
import type { Word } from "../words";

/** What a person has to tell apart at a glance; each has a word, a shape and a colour of its own. */
export type Outcome =
  | "pass"
  | "review"
  | "reject"
  | "knownDefect"
  | "unlikeClass"
  | "unknownProduct"
  | "cameraFault";

/** What a verdict is told by, of an answer or of the history. */
export type Judged = Pick<Detection, "frame_fault" | "status" | "decision"> & {
  readonly reasons: readonly string[];
};

/** A faulty picture says nothing of the part, so it comes before everything else that the answer says. */
export function outcomeOf(detection: Judged): Outcome {
  if (detection.frame_fault !== null) return "cameraFault";
  if (detection.status === "unknown_product" || detection.decision === null) return "unknownProduct";
  if (detection.reasons.includes("unlike_class")) return "unlikeClass";
  if (detection.reasons.includes("known_defect")) return "knownDefect";
  return detection.decision;
}

export function explained(outcome: Outcome): Word {
  return `${outcome}Says`;
}
