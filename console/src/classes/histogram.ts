export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

const STEPS = [1, 2, 2.5, 5, 10];
const AIMED_AT = 24;

/** A step of 1, 2, 2.5 or 5 times a power of ten that divides a length into about so many. */
export function roundStep(length: number, parts: number): number {
  const raw = length / parts;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * (STEPS.find((step) => step * power >= raw) ?? 10);
}

/** How many scores lie in each bin, from 0 to beyond the greatest score and threshold. */
export function histogram(scores: readonly number[], marks: readonly number[]): Bin[] {
  const end = Math.max(...scores, ...marks, 1e-6) * 1.05;
  const step = roundStep(end, AIMED_AT);
  const bins = Array.from({ length: Math.ceil(end / step) }, (_, place) => ({
    from: place * step,
    to: (place + 1) * step,
    count: 0,
  }));
  for (const score of scores) {
    const bin = bins[Math.min(bins.length - 1, Math.floor(score / step))];
    if (bin) bin.count += 1;
  }
  return bins;
}
