import { useState } from "preact/hooks";
import { usePicture } from "../api/loaded";
import { say } from "../words";
import type { Recorded } from "./Feed";

/** Larger files are shown by their thumbnail: the line must not wait for them. */
const LARGEST = 4_000_000;

interface Given {
  detection: Recorded;
  small?: boolean;
  /** An old picture is dimmed. */
  live?: boolean;
}

/** The picture of a part with its anomalous regions. */
export function PartPicture({ detection, small = false, live = true }: Given) {
  const [shownAsThumbnail, setThumbnail] = useState(
    small || detection.picture_bytes === 0 || detection.picture_bytes > LARGEST,
  );
  const path = `/detections/${detection.id}/${shownAsThumbnail ? "thumbnail" : "picture"}`;
  const { url, failure } = usePicture(path);
  const { width, height } = detection;
  if (failure) return <span class="missing">{`${say("noPicture")} (${failure.code})`}</span>;
  if (!url) return <span class="missing" aria-busy="true" />;
  return (
    <svg
      class={`part ${live ? "" : "old"}`}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={detection.file_name || detection.class_name || say("unknownProduct")}
    >
      <image
        href={url}
        width={width}
        height={height}
        preserveAspectRatio="none"
        onError={() => setThumbnail(true)}
      />
      {boxesOf(detection).map(([left, top, right, bottom]) => (
        <rect key={`${left} ${top}`} x={left} y={top} width={right - left} height={bottom - top} />
      ))}
    </svg>
  );
}

export type Box = readonly [number, number, number, number];

interface Region {
  readonly box: Box;
  readonly score: number;
  readonly peak?: readonly [number, number];
  readonly defect?: { readonly name: string } | null;
}

/** The regions of a recorded detection, the most anomalous first. */
export function regionsOf(detection: Recorded): Region[] {
  const regions = detection.regions as unknown as Region[];
  return [...regions].sort((one, other) => other.score - one.score);
}

/** The names of the known defects that it shows. */
export function defectsOf(detection: Recorded): string[] {
  return [...new Set(regionsOf(detection).flatMap(({ defect }) => (defect ? [defect.name] : [])))];
}

/** A faulty picture says nothing of any place. */
function boxesOf(detection: Recorded): Box[] {
  if (detection.frame_fault !== null) return [];
  return regionsOf(detection).map(({ box }) => box);
}
