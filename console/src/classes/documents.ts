/* What the API's description leaves open: documents whose fields it only calls an object. */
import type { Schema } from "../api/service";

export interface VersionRow {
  readonly version: string;
  readonly serves: boolean;
  readonly damaged: boolean;
  readonly error?: { readonly code: string; readonly message: string };
  readonly created_at?: string;
  readonly reason?: string | null;
  readonly references?: number;
  readonly patches?: number;
  readonly threshold?: number;
  readonly review_threshold?: number;
}

export interface Calibration {
  readonly method: "leave-one-image-out" | "held-out";
  readonly scores: readonly number[];
  /** Image ids, parallel to the scores; none where they are not known. */
  readonly images: readonly string[];
  readonly count: number;
  readonly independent: number;
  readonly stale: number;
  readonly reachable: boolean;
  readonly target_far: number;
  readonly review_far: number;
  readonly promised: number;
  readonly review_promised: number;
  readonly confidence: number | null;
  readonly set_aside: number;
  readonly together: number;
}

export interface Suspicious {
  readonly rank: number;
  readonly image_id: string;
  readonly name: string;
  readonly source: string;
  readonly width?: number;
  readonly height?: number;
  readonly score: number;
  readonly outlyingness: number;
  readonly suspect: boolean;
  readonly box: readonly [number, number, number, number] | null;
}

export interface AuditResult {
  readonly version: string;
  readonly references: number;
  readonly suspects: number;
  readonly images: readonly Suspicious[];
  readonly near_duplicates: readonly {
    readonly one: string;
    readonly other: string;
    readonly ratio: number;
    readonly image_ids: readonly [string, string];
  }[];
  readonly coverage: {
    readonly references: readonly number[];
    readonly median_score: readonly number[];
    readonly last_doubling: number;
    readonly enough: boolean;
  };
}

export const versionRows = (list: Schema["VersionList"]) => list.versions as unknown as VersionRow[];
export const calibrationOf = (detail: Schema["ClassDetail"]) => detail.calibration as unknown as Calibration;
export const auditOf = (job: Schema["Job"]) => job.result as unknown as AuditResult | null;
