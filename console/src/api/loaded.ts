import { useCallback, useEffect, useState } from "preact/hooks";
import { Refused } from "./service";
import { useSession } from "./session";

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly failure: Refused | undefined;
  readonly again: () => void;
}

/** What `load` gives; loaded anew when a key changes or `again` is called. The last value stays until the next is there. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [value, setValue] = useState<T>();
  const [failure, setFailure] = useState<Refused>();
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((count) => count + 1), []);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (given) => {
        if (stop.signal.aborted) return;
        setValue(() => given);
        setFailure(undefined);
      },
      (error) => {
        if (stop.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      },
    );
    return () => stop.abort();
  }, [...keys, turn]);
  return { value, failure, again };
}

/** The address of a picture of the service for `<img src>`; undefined until it is there, or if it cannot be had. */
export function usePicture(path: string | null): { url: string | undefined; failure: Refused | undefined } {
  const { service } = useSession();
  const [url, setUrl] = useState<string>();
  const [failure, setFailure] = useState<Refused>();
  useEffect(() => {
    setUrl(undefined);
    setFailure(undefined);
    if (path === null) return;
    const stop = new AbortController();
    let made = "";
    service.picture(path, stop.signal).then(
      (blob) => {
        if (stop.signal.aborted) return;
        made = URL.createObjectURL(blob);
        setUrl(made);
      },
      (error) => {
        if (stop.signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
      },
    );
    return () => {
      stop.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [path, service]);
  return { url, failure };
}
