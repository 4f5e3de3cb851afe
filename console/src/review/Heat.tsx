import { useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { paint } from "../inspect/paint";
import { say } from "../words";

/** Pixels of the longer side: the map has a pixel a patch, and is smooth between them. */
const SIDE = 320;
/** Its grey values, 8 bits, are told as 16 for painting; the threshold is in their middle. */
const TIMES = 257;
const CUT = 32_767;

/** The anomaly map that the history keeps of a detection, over its picture, which it is as large as. */
export function Heat({ path, width, height }: { path: string; width: number; height: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { service } = useSession();
  const [failure, setFailure] = useState<Refused>();
  useEffect(() => {
    const stop = new AbortController();
    const show = async () => {
      const map = await createImageBitmap(await service.picture(path, stop.signal));
      if (!stop.signal.aborted && canvas.current) draw(map, width / height, canvas.current);
      map.close();
    };
    show().catch((error) => {
      if (stop.signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      setFailure(error);
    });
    return () => stop.abort();
  }, [service, path, width, height]);
  if (failure) return <span class="missing">{`${say("noPicture")} (${failure.code})`}</span>;
  return (
    <canvas
      ref={canvas}
      style={{ position: "absolute", inset: 0, width: "100%", height: "100%", opacity: 0.7 }}
    />
  );
}

function draw(map: ImageBitmap, aspect: number, canvas: HTMLCanvasElement): void {
  canvas.width = Math.round(aspect < 1 ? SIDE * aspect : SIDE) || 1;
  canvas.height = Math.round(aspect < 1 ? SIDE : SIDE / aspect) || 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return;
  context.imageSmoothingQuality = "high";
  context.drawImage(map, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = new Uint16Array(pixels.width * pixels.height);
  for (let place = 0; place < values.length; place++)
    values[place] = (pixels.data[4 * place] as number) * TIMES;
  paint(
    { width: pixels.width, height: pixels.height, values },
    CUT,
    false,
    new Uint32Array(pixels.data.buffer),
  );
  context.putImageData(pixels, 0, 0);
}
