import type { Job } from "../api/job";
import type { Schema } from "../api/service";

export type JobSummary = Schema["JobSummary"];

/** A picture that was not taken, or is doubted. */
export interface Told {
  path: string;
  image_id?: string;
  /** Whether the job keeps a small picture of it. */
  kept?: boolean;
  /** Why, in one word for programs. */
  reason: string;
  message: string;
}

/** What a job tells that taught, extended or rebuilt a class (docs/jobs.md). */
export interface Taught {
  class_name: string;
  version: string;
  serves: boolean;
  added: number;
  references: number;
  threshold: number;
  review_threshold: number;
  calibration: {
    promise: string;
    promised: number;
    review_promised: number;
    /** Whether the pictures are enough for the rates that were asked for. */
    reachable: boolean;
    promise_takes: string;
  };
  skipped: { path: string; code: string; message: string }[];
  duplicates: string[];
  doubtful: { path: string; score: number }[];
  remarks: string[];
  warnings: { warning: string; paths: string[] }[];
  foreground: { masked: boolean; reason: string | null };
  inspected_percentage: number;
  detail: string;
  smallest_visible: { shrunk: number; patch: [number, number] } | null;
  set_aside: Told[];
}

export function taughtBy(job: Job): Taught | null {
  const teaches = ["teach", "update", "rebuild"].includes(job.kind);
  return teaches && job.result ? (job.result as unknown as Taught) : null;
}

/** What a job that failed tells of single pictures. */
export function asideIn(job: Job): Told[] {
  return (job.error?.detail?.set_aside as Told[] | undefined) ?? [];
}
