import { useEffect, useState } from "preact/hooks";
import { Refused, type Service } from "../api/service";
import { useSession } from "../api/session";
import type { Link, Recorded } from "./Feed";

export interface Tally {
  readonly pass: number;
  readonly review: number;
  readonly reject: number;
  /** Pictures of a camera that did not work: they say nothing of a part. */
  readonly camera: number;
  /** Unknown products: no verdict, so no part of the reject rate. */
  readonly unknown: number;
}

/** What the service counted before the moment of its newest detection, by class (the empty name has unknown products),
 * and the detections since that moment that it had already. */
interface Counted {
  readonly until: number;
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly also: readonly Recorded[];
}

const NONE: Tally = { pass: 0, review: 0, reject: 0, camera: 0, unknown: 0 };
const ANEW_AFTER = 60_000;
const MOST_SINCE = 1_000;

/** What was decided since a moment, by class. The service counts once, and anew every minute and after each
 * interruption; what comes meanwhile is added here. */
export function useCounts(since: Date, link: Link, recent: readonly Recorded[]) {
  const { service } = useSession();
  const [counted, setCounted] = useState<Counted>();
  const [failure, setFailure] = useState<Refused>();
  const from = since.toISOString();
  const { state } = link;
  useEffect(() => {
    if (state !== "live") return;
    const stop = new AbortController();
    const look = async () => {
      try {
        const given = await count(service, from, stop.signal);
        if (stop.signal.aborted) return;
        setCounted(given);
        setFailure(undefined);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      }
    };
    void look();
    const timer = setInterval(() => void look(), ANEW_AFTER);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [service, from, state]);
  const sums = new Map(counted?.tallies);
  const later = new Map([...(counted?.also ?? []), ...recent].map((detection) => [detection.id, detection]));
  for (const detection of later.values()) {
    const at = Date.parse(detection.at);
    if (!counted || at < counted.until || at < since.getTime()) continue;
    add(sums, detection.class_name, detection.decision, 1, detection.frame_fault === null ? 0 : 1);
  }
  return { of: (name: string) => sums.get(name) ?? NONE, failure };
}

/** The moment is that of a detection, so no clock but the service's is asked. */
async function count({ api, ask }: Service, since: string, signal: AbortSignal): Promise<Counted> {
  const newest = await ask(api.GET("/detections", { params: { query: { limit: 1 } }, signal }));
  const until = Date.parse(newest.detections[0]?.at ?? since);
  const moment = new Date(until).toISOString();
  const before = await ask(
    api.GET("/detections/counts", { params: { query: { since, until: moment } }, signal }),
  );
  const after = await ask(
    api.GET("/detections", { params: { query: { since: moment, limit: MOST_SINCE } }, signal }),
  );
  const tallies = new Map<string, Tally>();
  for (const row of before.counts) add(tallies, row.class_name, row.decision, row.detections, row.bad_frames);
  return { until, tallies, also: after.detections as Recorded[] };
}

function add(
  sums: Map<string, Tally>,
  name: string | null,
  decision: "pass" | "review" | "reject" | null,
  detections: number,
  faulty: number,
): void {
  const sum = sums.get(name ?? "") ?? NONE;
  const kind = decision ?? "unknown";
  sums.set(name ?? "", { ...sum, camera: sum.camera + faulty, [kind]: sum[kind] + detections - faulty });
}
