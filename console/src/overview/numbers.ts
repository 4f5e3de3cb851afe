import type { Schema } from "../api/service";
import { MOST_SERIES, type Series } from "../parts/Chart";

export type Overview = Schema["OverviewAnswer"];
type Numbers = Schema["OverviewNumbers"];
export type ClassNumbers = Schema["ClassOverview"];

/** A range of time, and the stretches that it is told in. */
export interface Range {
  readonly name: "hour" | "shift" | "day" | "week" | "month";
  readonly hours: number;
  readonly bucket: number;
}

export const RANGES: readonly Range[] = [
  { name: "hour", hours: 1, bucket: 2 },
  { name: "shift", hours: 8, bucket: 15 },
  { name: "day", hours: 24, bucket: 60 },
  { name: "week", hours: 168, bucket: 360 },
  { name: "month", hours: 720, bucket: 1440 },
];

/** Pictures with a verdict on a part: those of a camera that worked. */
export function judgedParts(numbers: Numbers): number {
  return numbers.passed + numbers.review + numbers.rejected - numbers.bad_frames;
}

/** The share of the parts that were rejected; null where there were none. */
export function rejectShare(numbers: Numbers): number | null {
  const parts = judgedParts(numbers);
  return parts > 0 ? (numbers.rejected - numbers.bad_frames) / parts : null;
}

/** The beginnings of all stretches, in seconds. */
export function stretches({ since, until, bucket_minutes: minutes }: Overview): number[] {
  const step = minutes * 60;
  const begin = Date.parse(since) / 1_000;
  const count = Math.max(1, Math.ceil((Date.parse(until) / 1_000 - begin) / step));
  return Array.from({ length: count }, (_, place) => begin + place * step);
}

/** The classes with the most images, as many as a chart can tell apart. */
export function drawn(overview: Overview): ClassNumbers[] {
  const named = overview.classes.filter(({ class_name }) => class_name !== null);
  const most = named.sort((one, other) => other.total.images - one.total.images);
  const unknown = overview.classes.filter(({ class_name }) => class_name === null);
  return [...most.slice(0, MOST_SERIES - unknown.length), ...unknown]; // last: each keeps its colour in all charts
}

/** One quantity of each class over the stretches; `none` where a stretch has no image. */
export function seriesOf(
  classes: readonly ClassNumbers[],
  times: readonly number[],
  title: (name: string | null) => string,
  value: (numbers: Numbers) => number | null,
  none: number | null,
): Series[] {
  return classes.map(({ class_name: name, buckets }) => {
    const known = new Map(buckets.map((numbers) => [Date.parse(numbers.begin) / 1_000, value(numbers)]));
    return { title: title(name), values: times.map((time) => known.get(time) ?? none) };
  });
}
