import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Service } from "../api/service";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { outcomeOf } from "../parts/outcome";
import { Feed, type Link, type Recorded } from "./Feed";

/** What a tile shows: the newest of each kind. The key is a class's name; the empty one has unknown products. */
export interface Seen {
  readonly newest: ReadonlyMap<string, Recorded>;
  readonly rejects: ReadonlyMap<string, Recorded>;
  /** What came by the stream, each once, the newest last; at most so many that a minute has its room. */
  readonly recent: readonly Recorded[];
}

export interface LineState extends Seen {
  readonly link: Link;
  readonly failure: Refused | undefined;
}

const CONNECTING: Link = { state: "connecting", heard: null, ahead: 0, failure: null };
const MOST_RECENT = 5_000;
const DRAWN_EVERY = 300;
/** So many of the newest rejected pictures are looked at for one of a part: the others are of a faulty camera. */
const LOOKED_AT = 20;

export function isReject(detection: Recorded): boolean {
  const outcome = outcomeOf(detection);
  return outcome === "reject" || outcome === "knownDefect" || outcome === "unlikeClass";
}

function later(one: Recorded | undefined, other: Recorded): Recorded {
  return one && one.id >= other.id ? one : other; // an id begins with the time
}

/** Follows all classes by one stream, and begins with what the history has of these. */
export function useLine(classes: readonly string[]): LineState {
  const { service } = useSession();
  const [, redraw] = useState(0);
  const [failure, setFailure] = useState<Refused>();
  const held = useRef({
    newest: new Map<string, Recorded>(),
    rejects: new Map<string, Recorded>(),
    recent: [] as Recorded[],
  });
  const names = classes.join(" ");
  const feed = useMemo(() => ({ current: null as Feed | null }), []);
  useEffect(() => {
    let timer = 0;
    const soon = () => {
      timer ||= window.setTimeout(() => {
        timer = 0;
        redraw((turn) => turn + 1);
      }, DRAWN_EVERY);
    };
    const take = (detection: Recorded) => {
      const { newest, rejects } = held.current;
      const name = detection.class_name ?? "";
      newest.set(name, later(newest.get(name), detection));
      if (isReject(detection)) rejects.set(name, later(rejects.get(name), detection));
      soon();
    };
    const come = (detection: Recorded) => {
      const { recent } = held.current;
      if (recent.some(({ id }) => id === detection.id)) return; // told again after an interruption
      recent.push(detection);
      if (recent.length > MOST_RECENT) recent.shift();
      take(detection);
    };
    const stop = new AbortController();
    const begin = async () => {
      try {
        await beginning(service, names.split(" ").filter(Boolean), take, stop.signal);
        setFailure(undefined);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      }
    };
    let was = "connecting";
    const opened = new Feed(service, come, () => {
      if (opened.link.state === "live" && was !== "live") void begin();
      was = opened.link.state;
      soon();
    });
    feed.current = opened;
    return () => {
      stop.abort();
      opened.close();
      clearTimeout(timer);
    };
  }, [service, names, feed]);
  const link = feed.current?.link ?? CONNECTING;
  return { ...held.current, link, failure };
}

/** The newest detection of each class, the newest reject of it, and the newest unknown product. */
async function beginning(
  { api, ask }: Service,
  names: readonly string[],
  take: (detection: Recorded) => void,
  signal: AbortSignal,
): Promise<void> {
  const first = async (query: Record<string, string>, limit = 1) => {
    const asked = api.GET("/detections", { params: { query: { limit, ...query } }, signal });
    for (const detection of (await ask(asked)).detections) take(detection as Recorded);
  };
  await first({ status: "unknown_product" });
  for (const name of names) {
    await first({ class_name: name });
    await first({ class_name: name, decision: "reject" }, LOOKED_AT);
  }
}
