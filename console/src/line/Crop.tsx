import { usePicture } from "../api/loaded";
import { say } from "../words";
import type { Box } from "./PartPicture";

const AROUND = 1.6;

interface Given {
  path: string;
  /** Width and height that the box is measured in; the picture itself may be smaller. */
  size: readonly [number, number];
  box: Box;
  /** The longer side of what is to be seen at least. */
  side: number;
  title: string;
}

/** A place of a picture with its surroundings. */
export function Crop({ path, size: [width, height], box: [left, top, right, bottom], side, title }: Given) {
  const { url, failure } = usePicture(path);
  const seen = Math.min(Math.max(AROUND * side, right - left, bottom - top), Math.max(width, height));
  const clamped = (middle: number, whole: number) =>
    whole <= seen ? (whole - seen) / 2 : Math.min(Math.max(middle - seen / 2, 0), whole - seen);
  const x = clamped((left + right) / 2, width);
  const y = clamped((top + bottom) / 2, height);
  return (
    <figure class="crop">
      {url && (
        <svg viewBox={`${x} ${y} ${seen} ${seen}`} role="img" aria-label={title}>
          <image href={url} width={width} height={height} preserveAspectRatio="none" />
          <rect x={left} y={top} width={right - left} height={bottom - top} />
        </svg>
      )}
      {!url && (
        <span class="missing" aria-busy={!failure}>
          {failure ? `${say("noPicture")} (${failure.code})` : ""}
        </span>
      )}
      <figcaption>{title}</figcaption>
    </figure>
  );
}
