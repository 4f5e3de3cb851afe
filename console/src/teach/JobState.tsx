import { say } from "../words";
import type { JobSummary } from "./taught";

/** A job's state: a word with a colour. */
export function JobState({ state }: { state: JobSummary["state"] }) {
  return <span class={`state ${state}`}>{say(`job_${state}`)}</span>;
}
