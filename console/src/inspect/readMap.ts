import { decode } from "fast-png";
import type { GreyMap } from "./paint";

/** Reads a map of all its 16 bits, of which the browser's own decoder would keep 8. */
export async function readMap(png: Blob): Promise<GreyMap> {
  const { width, height, depth, channels, data } = decode(await png.arrayBuffer());
  if (depth !== 16 || channels !== 1)
    throw new Error(`no map of 16-bit grey: ${depth} bits, ${channels} channels`);
  return { width, height, values: data as Uint16Array };
}
