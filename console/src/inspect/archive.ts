import { Asker } from "../parts/answering";
import type { Item } from "./item";
import { tableOf } from "./table";
import { cutAt } from "./trial";

interface Picture {
  readonly name: string;
  readonly file: File;
  readonly map: Blob | undefined;
  readonly cut: number;
}
export type Page = Picture | { readonly table: string };
export type Step = { readonly shown: "all" | "map" | "nothing" } | { readonly file: Blob };

export interface Archive {
  readonly file: Blob;
  /** Names of the pictures that this browser cannot show: of these the map alone is in the archive, or nothing. */
  readonly missing: readonly string[];
}

/** A ZIP archive of the pictures with their maps over them, and the table of what was said, made in a Web Worker.
 * `onStep` is told how many are done. */
export async function archive(
  items: readonly Item[],
  onStep: (done: number) => void,
  stop: AbortSignal,
): Promise<Archive | null> {
  const worker = new Worker(new URL("./archive.worker.ts", import.meta.url), { type: "module" });
  try {
    const asker = new Asker<Page, Step>(worker);
    const missing: string[] = [];
    const digits = String(items.length).length;
    for (const [place, item] of items.entries()) {
      if (stop.aborted) return null;
      const { file, map, detection } = item;
      const cut = detection?.pixel_threshold == null ? 0 : cutAt(detection, detection.pixel_threshold);
      const name = `overlays/${String(place + 1).padStart(digits, "0")}-${safe(file.name)}.jpg`;
      const step = await asker.ask({ name, file, map, cut });
      if ("shown" in step && step.shown !== "all") missing.push(file.name);
      onStep(place + 1);
    }
    const last = await asker.ask({ table: tableOf(items) });
    return "file" in last ? { file: last.file, missing } : null;
  } finally {
    worker.terminate();
  }
}

/** A name that is a file's in every system, and never a path. */
function safe(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what no name may have
  return name.replace(/[\u0000-\u001f<>:"/\\|?*]/g, "_").slice(0, 120);
}
