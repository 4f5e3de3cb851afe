import { Asker } from "../parts/answering";

export interface Paint {
  /** Of the map: one that is painted again is not read again. */
  readonly name: string;
  readonly png: Blob;
  /** The grey value above which a pixel is anomalous. */
  readonly cut: number;
  readonly onlyAbove: boolean;
}
export type Question = { readonly base64: string } | Paint;
export interface Painted {
  readonly bitmap: ImageBitmap;
  /** Share of the inspected pixels that are anomalous, 0 to 1. */
  readonly share: number;
}

/** Reads and colours anomaly maps in a Web Worker. */
export class Maps {
  private asker: Asker<Question, Blob | Painted> | null = null;
  private painting = false;
  private wanted: {
    paint: Paint;
    give: (painted: Painted | null) => void;
    fail: (error: Error) => void;
  } | null = null;

  /** The map of an answer as a file, which a browser may keep on disk. */
  async keep(base64: string): Promise<Blob> {
    return (await this.worker.ask({ base64 })) as Blob;
  }

  /** A coloured map; null if another was wanted before this one was begun. */
  paint(paint: Paint): Promise<Painted | null> {
    this.wanted?.give(null);
    const painted = new Promise<Painted | null>((give, fail) => {
      this.wanted = { paint, give, fail };
    });
    if (!this.painting) void this.paintAll();
    return painted;
  }

  private async paintAll(): Promise<void> {
    this.painting = true;
    for (let next = this.wanted; next; next = this.wanted) {
      this.wanted = null;
      await this.worker.ask(next.paint).then((painted) => next.give(painted as Painted), next.fail);
    }
    this.painting = false;
  }

  private get worker(): Asker<Question, Blob | Painted> {
    this.asker ??= new Asker(new Worker(new URL("./map.worker.ts", import.meta.url), { type: "module" }));
    return this.asker;
  }
}
