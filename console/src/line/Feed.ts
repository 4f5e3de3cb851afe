import { eventsOf } from "../api/events";
import { Refused, type Schema, type Service } from "../api/service";

export type Recorded = Schema["RecordedDetection"];

export interface Link {
  readonly state: "connecting" | "live" | "lost";
  /** When the service was last heard of, by this machine's clock; null: not yet. */
  readonly heard: number | null;
  /** How far the service's clock is ahead of this machine's, in milliseconds. */
  readonly ahead: number;
  readonly failure: Refused | null;
}

const HEARTBEAT = 15_000;
/** A silence longer than that is no connection, whatever the browser believes. */
const SILENCE = HEARTBEAT + 5_000;
const SOON = 2;
const LATER = 15;

/** Follows what is recorded, and comes back by itself where the connection ends: nothing between is lost. */
export class Feed {
  link: Link = { state: "connecting", heard: null, ahead: 0, failure: null };
  private stop: AbortController | null = null;
  private last = "";
  private timer = 0;
  private readonly watch: number;
  private closed = false;

  constructor(
    private readonly service: Service,
    private readonly arrived: (detection: Recorded) => void,
    private readonly changed: () => void,
  ) {
    this.watch = window.setInterval(() => this.look(), 1_000);
    void this.follow();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.stop?.abort();
  }

  /** A machine that slept finds a connection that is long dead; the browser may take minutes to notice. */
  private look(): void {
    const { state, heard } = this.link;
    if (state === "live" && heard !== null && Date.now() - heard > SILENCE) this.stop?.abort();
  }

  private async follow(): Promise<void> {
    const stop = new AbortController();
    this.stop = stop;
    let wait = SOON;
    let failure: Refused | null = null;
    try {
      const since: Record<string, string> = this.last ? { "Last-Event-ID": this.last } : {};
      const response = await this.service.fetched("/detections/events", stop.signal, since);
      const told = Date.parse(response.headers.get("Date") ?? "");
      if (!Number.isNaN(told)) this.put({ ahead: told - Date.now() });
      for await (const event of eventsOf(response)) {
        this.put({ state: "live", heard: Date.now(), failure: null });
        if (event?.name !== "detection") continue;
        this.last = event.id;
        this.arrived((JSON.parse(event.data) as { detection: Recorded }).detection);
      }
    } catch (error) {
      if (error instanceof Refused) {
        failure = error;
        wait = error.status >= 400 && error.status < 500 ? LATER : error.retryAfter;
      } else if (!(error instanceof DOMException || error instanceof TypeError)) throw error; // aborted, or cut off
    }
    if (this.closed) return;
    this.put({ state: "lost", failure });
    this.timer = window.setTimeout(() => void this.follow(), 1_000 * wait);
  }

  private put(change: Partial<Link>): void {
    this.link = { ...this.link, ...change };
    this.changed();
  }
}
