import { useEffect, useRef, useState } from "preact/hooks";
import type { Job } from "../api/job";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Progress } from "../parts/Progress";
import { percent, say } from "../words";

export interface Sender {
  /** How much has gone; null: nothing is being sent. */
  readonly share: number | null;
  readonly failure: Refused | null;
  readonly cancel: () => void;
  /** Sends a form and gives the answer; null where it was refused or cancelled. */
  readonly send: <T = Job>(path: string, form: FormData) => Promise<T | null>;
}

export function useSending(): Sender {
  const { service } = useSession();
  const [share, setShare] = useState<number | null>(null);
  const [failure, setFailure] = useState<Refused | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => {
    if (share === null) return;
    const leaving = (event: Event) => event.preventDefault(); // the browser asks first
    addEventListener("beforeunload", leaving);
    return () => removeEventListener("beforeunload", leaving);
  }, [share === null]);
  const send = async <T = Job>(path: string, form: FormData): Promise<T | null> => {
    const mine = new AbortController();
    stop.current = mine;
    setFailure(null);
    setShare(0);
    try {
      return await service.send<T>(path, form, setShare, mine.signal);
    } catch (error) {
      if (!(error instanceof Refused || mine.signal.aborted)) throw error;
      if (error instanceof Refused) setFailure(error);
      return null;
    } finally {
      setShare(null);
    }
  };
  return { share, failure, send, cancel: () => stop.current?.abort() };
}

/** How far it is, and what went wrong. */
export function Sending({ sending: { share, failure, cancel } }: { sending: Sender }) {
  if (failure) return <Failure failure={failure} deed />;
  if (share === null) return null;
  return (
    <div class="sheet going">
      <Progress label={`${say("sendingPictures")} ${percent(share)}`} done={share} all={1} />
      <button type="button" class="button plain" onClick={cancel}>
        {say("cancel")}
      </button>
    </div>
  );
}
