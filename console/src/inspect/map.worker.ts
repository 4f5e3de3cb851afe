import { answer } from "../parts/answering";
import type { Painted, Question } from "./maps";
import { type GreyMap, paint } from "./paint";
import { readMap } from "./readMap";

let held: { name: string; map: GreyMap } | null = null;

answer<Question, Blob | Painted>(async (question) => {
  if ("base64" in question) return [fileOf(question.base64), []];
  const { name, png, cut, onlyAbove } = question;
  if (held?.name !== name) held = { name, map: await readMap(png) };
  const { map } = held;
  const pixels = new ImageData(map.width, map.height);
  const share = paint(map, cut, onlyAbove, new Uint32Array(pixels.data.buffer));
  const bitmap = await createImageBitmap(pixels);
  return [{ bitmap, share }, [bitmap]];
});

function fileOf(base64: string): Blob {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}
