import { paint } from "./paint";
import { readMap } from "./readMap";

const HEAT = 0.7;
const QUALITY = 0.92;

/** A picture with its anomaly map over it as JPEG; the map alone where this browser does not know the picture's format,
 * and null where there is nothing to show. For a Web Worker. */
export async function overlay(
  file: File,
  map: Blob | undefined,
  cut: number,
): Promise<{ jpeg: Blob; alone: boolean } | null> {
  const picture = await createImageBitmap(file).catch(() => null);
  const grey = map ? await readMap(map) : null;
  const size = grey ?? picture;
  if (!size) return null;
  const canvas = new OffscreenCanvas(size.width, size.height);
  const drawn = canvas.getContext("2d");
  if (!drawn) throw new Error("no canvas");
  if (picture) drawn.drawImage(picture, 0, 0, size.width, size.height);
  picture?.close();
  if (grey) {
    const pixels = new ImageData(grey.width, grey.height);
    paint(grey, cut, false, new Uint32Array(pixels.data.buffer));
    const heat = await createImageBitmap(pixels);
    drawn.globalAlpha = picture ? HEAT : 1;
    drawn.drawImage(heat, 0, 0);
    heat.close();
  }
  return { jpeg: await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY }), alone: !picture };
}
