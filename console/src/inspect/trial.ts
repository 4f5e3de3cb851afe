import type { Detection, Schema } from "../api/service";
import { type Outcome, outcomeOf } from "../parts/outcome";

export type Sensitivity = Schema["Sensitivity"];
export type Setting = Schema["SensitivitySetting"];

/** What the service would have decided with these thresholds. Only its decision by the score depends on them. */
export function outcomeAt(detection: Detection, setting: Setting): Outcome {
  const score = detection.anomaly_score;
  const told = outcomeOf(detection);
  if (score === null || !dependsOnScore(told)) return told;
  if (score > setting.threshold) return "reject";
  return score > setting.review_threshold ? "review" : "pass";
}

export function dependsOnScore(outcome: Outcome): boolean {
  return outcome === "pass" || outcome === "review" || outcome === "reject";
}

/** The grey value of a map above which its pixel has more than `threshold`. */
export function cutAt(detection: Detection, threshold: number): number {
  const { scale, offset } = detection.grey_values ?? { scale: 2 / 65535, offset: 0 };
  return Math.floor((threshold - offset) / scale);
}
