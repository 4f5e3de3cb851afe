import { useEffect } from "preact/hooks";
import { Link } from "wouter-preact";
import { hasEnded } from "../api/job";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Fault } from "../parts/Notice";
import { moment, say } from "../words";
import { JobState } from "./JobState";

const SHOWN = 8;
const PERIOD = 3000;

/** The latest jobs: those that go on, and how the others ended. */
export function Jobs() {
  const { service } = useSession();
  const { value, failure, again } = useLoaded(
    (signal) => service.ask(service.api.GET("/jobs", { params: { query: { limit: SHOWN } }, signal })),
    [service],
  );
  const going = value?.jobs.some((job) => !hasEnded(job)) ?? false;
  useEffect(() => {
    if (!going) return;
    const timer = setInterval(again, PERIOD);
    return () => clearInterval(timer);
  }, [going, again]);
  return (
    <section class="sheet">
      <h2>{say("jobs")}</h2>
      {failure && <Failure failure={failure} again={again} />}
      {value?.jobs.length === 0 && <p class="soft">{say("noJobs")}</p>}
      <ul class="rows">
        {value?.jobs.map((job) => (
          <li key={job.id}>
            <Link href={`/teach/job/${job.id}`}>
              <span class="name">{job.class_name}</span>
              <JobState state={job.state} />
              <span class="soft">{`${say(`kind_${job.kind}`)}, ${moment(job.created_at)}`}</span>
              {job.error && (
                <span class="wrong">
                  <Fault code={job.error.code} message={job.error.message} />
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
