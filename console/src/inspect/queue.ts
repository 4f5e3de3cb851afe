import { Refused, type Service } from "../api/service";
import { detect } from "./detect";
import { type Item, isDone } from "./item";
import { Maps } from "./maps";

const AT_ONCE = 2;
const BUSY = [0, 429, 502, 503, 504];
const KEY_ASKED = 401;

/** Judges pictures, two at a time, in the order in which they came. A service that is busy, or away for a while, is asked
 * again; where it asks for a key, pictures wait for it; a picture that it refuses fails alone. */
export class Queue {
  items: readonly Item[] = [];
  /** Why nothing goes on at present; empty where it does. */
  hitch = "";
  readonly maps = new Maps();
  private readonly asked = new Map<number, AbortController>();
  private readonly listeners = new Set<() => void>();
  private keyMissing = false;
  private next = 1;

  constructor(private readonly service: Service) {}

  /** Calls `listener` whenever something changes, until what is returned is called. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  add(files: readonly File[], className: string): void {
    const added = files.map((file) => ({ id: this.next++, file, className, state: "waiting" as const }));
    this.items = [...this.items, ...added];
    this.goOn();
  }

  /** Judges pictures once more, as `className` if one is given. */
  again(ids: readonly number[], className?: string): void {
    for (const id of ids) this.stop(id);
    this.items = this.items.map((item) =>
      ids.includes(item.id)
        ? { id: item.id, file: item.file, className: className ?? item.className, state: "waiting" as const }
        : item,
    );
    this.goOn();
  }

  clear(): void {
    for (const { id } of this.items) this.stop(id);
    this.items = [];
    this.hitch = "";
    this.changed();
  }

  /** A key was given. */
  resume(): void {
    this.keyMissing = false;
    this.goOn();
  }

  get done(): number {
    return this.items.filter(isDone).length;
  }

  private goOn(): void {
    while (!this.keyMissing && this.asked.size < AT_ONCE) {
      const item = this.items.find(({ state }) => state === "waiting");
      if (!item) break;
      const stop = new AbortController();
      this.asked.set(item.id, stop);
      this.put(item.id, { state: "judging" });
      void this.judge(item, stop.signal).finally(() => {
        if (this.asked.get(item.id) === stop) this.asked.delete(item.id);
        this.goOn();
      });
    }
    this.changed();
  }

  private async judge(item: Item, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { anomaly_map_base64: grey, ...rest } = await detect(
          this.service,
          item.file,
          item.className,
          signal,
        );
        const map = grey === null ? undefined : await this.maps.keep(grey);
        if (signal.aborted) return;
        this.hitch = "";
        this.put(item.id, { state: "judged", detection: { ...rest, anomaly_map_base64: null }, map });
        return;
      } catch (error) {
        if (signal.aborted) return;
        const refused = error instanceof Refused ? error : new Refused(-1, "page_error", String(error), 0);
        const failure = (await unreadable(item.file)) ?? refused;
        if (failure.status === KEY_ASKED) {
          this.keyMissing = true;
          this.put(item.id, { state: "waiting" });
          return;
        }
        if (!BUSY.includes(failure.status)) {
          this.put(item.id, { state: "failed", failure });
          return;
        }
        this.hitch = failure.message || failure.code;
        this.changed();
        await new Promise((resume) => setTimeout(resume, 1000 * failure.retryAfter));
      }
    }
  }

  private stop(id: number): void {
    this.asked.get(id)?.abort();
    this.asked.delete(id);
  }

  private put(id: number, change: Partial<Item>): void {
    this.items = this.items.map((held) => (held.id === id ? { ...held, ...change } : held));
    this.changed();
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** A file that was removed or changed since it was chosen cannot be sent, which looks like a service that is away. */
async function unreadable(file: File): Promise<Refused | null> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return null;
  } catch (error) {
    return new Refused(-1, "file_unreadable", (error as Error).message, 0);
  }
}
