import { useEffect, useState } from "preact/hooks";
import { Refused, type Schema } from "./service";
import { useSession } from "./session";

export type Job = Schema["Job"];

const PERIOD = 1000;

export function hasEnded(job: Pick<Job, "state">): boolean {
  return job.state !== "queued" && job.state !== "running";
}

/** A job as it goes on, until it ends. While the service is away it is asked again, and `failure` says so. */
export function useJob(id: string | null): { job: Job | undefined; failure: Refused | undefined } {
  const { service } = useSession();
  const [job, setJob] = useState<Job>();
  const [failure, setFailure] = useState<Refused>();
  useEffect(() => {
    setJob(undefined);
    setFailure(undefined);
    if (id === null) return;
    const stop = new AbortController();
    const { signal } = stop;
    let timer = 0;
    const look = async () => {
      let wait = PERIOD;
      try {
        const asked = service.api.GET("/jobs/{job_id}", { params: { path: { job_id: id } }, signal });
        const seen = await service.ask(asked);
        if (signal.aborted) return;
        setJob(seen);
        setFailure(undefined);
        if (hasEnded(seen)) return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Refused)) throw error;
        setFailure(error);
        if (error.status >= 400 && error.status < 500 && error.status !== 429) return;
        wait = 1000 * error.retryAfter;
      }
      timer = window.setTimeout(() => void look(), wait);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [id, service]);
  return { job, failure };
}
