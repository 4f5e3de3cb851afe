import { type Recorded, regionsOf } from "./recorded";

/** The regions of a detection over its picture. */
export function Boxes({ detection }: { detection: Recorded }) {
  return (
    <svg viewBox={`0 0 ${detection.width} ${detection.height}`} aria-hidden="true">
      {regionsOf(detection).map(({ box: [left, top, right, bottom] }) => (
        <rect key={`${left} ${top}`} x={left} y={top} width={right - left} height={bottom - top} />
      ))}
    </svg>
  );
}
