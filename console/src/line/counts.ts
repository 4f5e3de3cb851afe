import { useEffect, useState } from "preact/hooks";
import { Refused } from "../api/service";
import { useSession } from "../api/session";

export interface Tally {
  readonly pass: number;
  readonly review: number;
  readonly reject: number;
  /** Pictures of a camera that did not work: they say nothing of a part. */
  readonly camera: number;
  /** Unknown products: no verdict, so no part of the reject rate. */
  readonly unknown: number;
}

const NONE: Tally = { pass: 0, review: 0, reject: 0, camera: 0, unknown: 0 };
const AT_MOST_EVERY = 3_000;
const ANYWAY_AFTER = 30_000;

/** What was decided since a moment, by class; the empty name has unknown products. Counted by the service whenever
 * `seen` grows, at most every 3 s. */
export function useCounts(since: Date, seen: number) {
  const { service } = useSession();
  const [tallies, setTallies] = useState<ReadonlyMap<string, Tally>>(new Map());
  const [failure, setFailure] = useState<Refused>();
  const wanted = useThrottled(seen);
  const from = since.toISOString();
  useEffect(() => {
    const stop = new AbortController();
    const count = async () => {
      try {
        const asked = service.api.GET("/detections/counts", {
          params: { query: { since: from } },
          signal: stop.signal,
        });
        const { counts } = await service.ask(asked);
        if (stop.signal.aborted) return;
        const sums = new Map<string, Tally>();
        for (const { class_name, decision, detections, bad_frames } of counts) {
          const name = class_name ?? "";
          const sum = sums.get(name) ?? NONE;
          const kind = decision ?? "unknown";
          const camera = sum.camera + bad_frames;
          sums.set(name, { ...sum, camera, [kind]: sum[kind] + detections - bad_frames });
        }
        setTallies(sums);
        setFailure(undefined);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      }
    };
    void count();
    const timer = setInterval(() => void count(), ANYWAY_AFTER);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [service, from, wanted]);
  return { of: (name: string) => tallies.get(name) ?? NONE, failure };
}

/** The value, which changes at most every 3 s. */
function useThrottled(value: number): number {
  const [held, setHeld] = useState({ value, at: 0 });
  useEffect(() => {
    if (held.value === value) return;
    const wait = Math.max(0, held.at + AT_MOST_EVERY - Date.now());
    const timer = setTimeout(() => setHeld({ value, at: Date.now() }), wait);
    return () => clearTimeout(timer);
  }, [value, held]);
  return held.value;
}
