import { strToU8, Zip, ZipDeflate, ZipPassThrough } from "fflate";
import { answer } from "../parts/answering";
import type { Page, Step } from "./archive";
import { overlay } from "./overlay";

const pieces: Blob[] = [];
let failed: Error | null = null;
const zip = new Zip((error, piece) => {
  if (error) failed = error;
  else pieces.push(new Blob([piece as Uint8Array<ArrayBuffer>])); // which the browser may keep on disk
});

answer<Page, Step>(async (page) => {
  if ("table" in page) {
    const table = new ZipDeflate("results.csv");
    zip.add(table);
    table.push(strToU8(page.table), true);
    zip.end();
    if (failed) throw failed;
    return [{ file: new Blob(pieces, { type: "application/zip" }) }, []];
  }
  const made = await overlay(page.file, page.map, page.cut);
  if (made) {
    const entry = new ZipPassThrough(page.name); // a JPEG does not get smaller
    zip.add(entry);
    entry.push(new Uint8Array(await made.jpeg.arrayBuffer()), true);
  }
  if (failed) throw failed;
  return [{ shown: made === null ? "nothing" : made.alone ? "map" : "all" }, []];
});
