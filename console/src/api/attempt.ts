import { useCallback, useState } from "preact/hooks";
import { Refused } from "./service";

export interface Attempt {
  /** Whether it is under way. */
  readonly busy: boolean;
  /** Why the last one failed, in the service's words. */
  readonly refused: Refused | undefined;
  readonly attempt: (work: () => Promise<void>) => Promise<void>;
}

/** Something that a person asks the service to do, and that it may refuse. */
export function useAttempt(): Attempt {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refused>();
  const attempt = useCallback(async (work: () => Promise<void>) => {
    setBusy(true);
    setRefused(undefined);
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setRefused(error);
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, refused, attempt };
}
