import { type Detection, Refused, type Service } from "../api/service";
import { detect } from "./detect";

export interface Item {
  readonly id: number;
  readonly file: File;
  readonly url: string;
  /** The class that was named when it came; empty: it is to be found. */
  readonly className: string;
  state: "waiting" | "judging" | "judged" | "failed";
  detection?: Detection;
  failure?: string;
}

const BUSY = [0, 429, 502, 503, 504];

/** Judges pictures one after another, in the order in which they came. A service that is busy, or away for a while, is
 * asked again; a picture that it refuses fails alone. */
export class Queue {
  items: readonly Item[] = [];
  /** Why nothing goes on at present; empty where it does. */
  hitch = "";
  private working = false;
  private next = 1;

  constructor(
    private readonly service: Service,
    private readonly changed: () => void,
  ) {}

  add(files: readonly File[], className: string): void {
    const added = files.map((file) => ({
      id: this.next++,
      file,
      url: URL.createObjectURL(file),
      className,
      state: "waiting" as const,
    }));
    this.items = [...this.items, ...added];
    this.changed();
    if (!this.working) void this.work();
  }

  clear(): void {
    for (const item of this.items) URL.revokeObjectURL(item.url);
    this.items = [];
    this.hitch = "";
    this.changed();
  }

  private async work(): Promise<void> {
    this.working = true;
    try {
      for (let item = this.waiting(); item; item = this.waiting()) {
        this.put(item, { state: "judging" });
        await this.judge(item);
      }
    } finally {
      this.working = false;
    }
  }

  private waiting(): Item | undefined {
    return this.items.find((item) => item.state === "waiting");
  }

  private async judge(item: Item): Promise<void> {
    while (this.items.some((held) => held.id === item.id)) {
      try {
        const detection = await detect(this.service, item.file, item.className, this.items.length === 1);
        this.hitch = "";
        this.put(item, { state: "judged", detection });
        return;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (!BUSY.includes(error.status)) {
          this.put(item, { state: "failed", failure: `${error.message} (${error.code})` });
          return;
        }
        this.hitch = error.message || error.code;
        this.changed();
        await new Promise((resume) => setTimeout(resume, 1000 * error.retryAfter));
      }
    }
  }

  private put(item: Item, change: Partial<Item>): void {
    this.items = this.items.map((held) => (held.id === item.id ? { ...held, ...change } : held));
    this.changed();
  }
}
