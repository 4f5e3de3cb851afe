import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { type Filter, queryOf } from "./Filters";
import type { Recorded } from "./recorded";

const PAGE = 40;

/** Detections under review: those loaded so far, and which of them is looked at. */
export interface Queue {
  /** Undefined until the first page is there. */
  readonly items: readonly Recorded[] | undefined;
  readonly at: number;
  /** How many nobody has judged yet; null where it is not known. */
  readonly open: number | null;
  readonly failure: Refused | null;
  readonly go: (to: number) => void;
  /** Puts an item as it is now in the place of what it was. */
  readonly put: (item: Recorded) => void;
  readonly reload: () => void;
}

interface State {
  items: readonly Recorded[] | undefined;
  after: string | null;
  at: number;
}

const EMPTY: State = { items: undefined, after: null, at: 0 };

/** `first` is the id of a detection that is looked at first, whatever the filter; empty: there is none. */
export function useQueue(filter: Filter, first: string): Queue {
  const { service } = useSession();
  const [state, setState] = useState<State>(EMPTY);
  const [open, setOpen] = useState<number | null>(null);
  const [failure, setFailure] = useState<Refused | null>(null);
  const [turn, setTurn] = useState(0);
  const loading = useRef<AbortController | null>(null);
  const load = useCallback(
    async (after: string | null) => {
      const mine = new AbortController();
      const { signal } = mine;
      loading.current = mine;
      const query = { ...queryOf(filter), order: filter.order, limit: PAGE, ...(after && { after }) };
      try {
        const page = await service.ask(service.api.GET("/detections", { params: { query }, signal }));
        const params = { path: { detection_id: first } };
        const named =
          !after && first
            ? [
                (await service.ask(service.api.GET("/detections/{detection_id}", { params, signal })))
                  .detection,
              ]
            : [];
        const found = page.detections.filter(({ id }) => id !== first);
        setState((before) => ({
          at: after ? before.at : 0,
          items: after ? [...(before.items ?? []), ...found] : [...named, ...found],
          after: page.after,
        }));
        setFailure(null);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      } finally {
        if (loading.current === mine) loading.current = null;
      }
    },
    [service, filter, first],
  );
  useEffect(() => {
    const stop = new AbortController();
    setState(EMPTY);
    setOpen(null);
    void load(null);
    const query = { ...queryOf(filter), word: "none" };
    service.ask(service.api.GET("/detections/counts", { params: { query }, signal: stop.signal })).then(
      ({ counts }) => setOpen(counts.reduce((sum, { detections }) => sum + detections, 0)),
      () => setOpen(null), // the list's own failure is told
    );
    return () => {
      stop.abort();
      loading.current?.abort();
    };
  }, [load, turn]);
  const { items, after, at } = state;
  useEffect(() => {
    if (items && after && at > items.length - PAGE / 2 && !loading.current) void load(after);
  }, [items, after, at, load]);
  return {
    items,
    at,
    open,
    failure,
    go: (to) =>
      setState((before) => ({
        ...before,
        at: Math.max(0, Math.min(to, (before.items?.length ?? 1) - 1)),
      })),
    put: (item) => {
      const judged = item.word !== null && items?.find(({ id }) => id === item.id)?.word === null;
      if (judged) setOpen((left) => left && left - 1);
      setState((before) => ({
        ...before,
        items: before.items?.map((held) => (held.id === item.id ? item : held)),
      }));
    },
    reload: () => setTurn((count) => count + 1),
  };
}
