import type { Schema } from "../api/service";

export type Recorded = Schema["RecordedDetection"];
export type Word = NonNullable<Recorded["word"]>;
export type Action = Schema["Action"];
export type DryRun = Schema["DryRun"];

/** A region as the history keeps it: left, top, right, bottom in pixels of the upright original. */
export interface Region {
  box: [number, number, number, number];
  score: number;
  defect?: { name: string } | null;
}

export function regionsOf(detection: Recorded): Region[] {
  return detection.regions as unknown as Region[];
}

export const WORDS: readonly Word[] = ["correct", "false_alarm", "missed", "unsure"];

/** Whether the service takes this word of it: what passed raised no alarm, what was rejected was not missed. */
export function fits(word: Word, { decision }: Recorded): boolean {
  if (word === "false_alarm") return decision === "review" || decision === "reject";
  return word !== "missed" || decision !== "reject";
}

export function pathOf(id: string, part: "thumbnail" | "picture"): string {
  return `/detections/${encodeURIComponent(id)}/${part}`;
}
