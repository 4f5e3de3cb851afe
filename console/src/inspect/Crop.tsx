import { useEffect, useRef } from "preact/hooks";
import { say } from "../words";

export type Box = readonly [left: number, top: number, right: number, bottom: number];

interface Given {
  image: HTMLImageElement | null;
  /** Width of the picture in whose pixels the box is: the image may be a smaller copy. */
  width: number;
  box: Box;
  label: string;
}

const SIDE = 360;
const AROUND = 3; // times the box

/** A box of a picture, with what is round it. */
export function Crop({ image, width, box, label }: Given) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [left, top, right, bottom] = box;
  const side = AROUND * Math.max(right - left, bottom - top);
  const from = [(left + right - side) / 2, (top + bottom - side) / 2] as const;
  useEffect(() => {
    const drawn = canvas.current?.getContext("2d");
    if (!drawn || !image) return;
    const scale = image.naturalWidth / width;
    drawn.clearRect(0, 0, SIDE, SIDE);
    drawn.drawImage(image, from[0] * scale, from[1] * scale, side * scale, side * scale, 0, 0, SIDE, SIDE);
  }, [image, width, side, ...from]);
  if (!image) return <span class="patchcrop missing">{say("noPicture")}</span>;
  return (
    <span class="patchcrop">
      <canvas ref={canvas} width={SIDE} height={SIDE} role="img" aria-label={label} />
      <svg viewBox={`${from[0]} ${from[1]} ${side} ${side}`} aria-hidden="true">
        <rect x={left} y={top} width={right - left} height={bottom - top} />
      </svg>
    </span>
  );
}
