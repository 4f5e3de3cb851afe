import { useEffect, useRef, useState } from "preact/hooks";
import { say } from "../words";

export type Box = readonly [left: number, top: number, right: number, bottom: number];

interface Given {
  image: HTMLImageElement | null;
  /** The picture as a file: of a large one the browser then takes the box beside the page's own thread. */
  file?: Blob | undefined;
  /** Width of the picture in whose pixels the box is: the image may be a smaller copy. */
  width: number;
  box: Box;
  label: string;
}

const SIDE = 360;
const AROUND = 3; // times the box

/** A box of a picture, with what is round it. */
export function Crop({ image, file, width, box, label }: Given) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [gone, setGone] = useState(false);
  const [left, top, right, bottom] = box;
  const side = Math.round(AROUND * Math.max(right - left, bottom - top));
  const from = [Math.round((left + right - side) / 2), Math.round((top + bottom - side) / 2)] as const;
  useEffect(() => {
    const drawn = canvas.current?.getContext("2d");
    if (!drawn || !image) return;
    drawn.clearRect(0, 0, SIDE, SIDE);
    if (!file) {
      const scale = image.naturalWidth / width;
      drawn.drawImage(image, from[0] * scale, from[1] * scale, side * scale, side * scale, 0, 0, SIDE, SIDE);
      return;
    }
    let wanted = true;
    createImageBitmap(file, ...from, side, side).then(
      (taken) => {
        if (wanted) drawn.drawImage(taken, 0, 0, SIDE, SIDE);
        taken.close();
      },
      () => wanted && setGone(true), // it was changed or removed since it was chosen
    );
    return () => {
      wanted = false;
    };
  }, [image, file, width, side, ...from]);
  if (!image || gone) return <span class="patchcrop missing">{say("noPicture")}</span>;
  return (
    <span class="patchcrop">
      <canvas ref={canvas} width={SIDE} height={SIDE} role="img" aria-label={label} />
      <svg viewBox={`${from[0]} ${from[1]} ${side} ${side}`} aria-hidden="true">
        <rect x={left} y={top} width={right - left} height={bottom - top} />
      </svg>
    </span>
  );
}
