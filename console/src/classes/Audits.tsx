import { useState } from "preact/hooks";
import { useAttempt } from "../api/attempt";
import { hasEnded, type Job, useJob } from "../api/job";
import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Fault } from "../parts/Notice";
import { moment, say } from "../words";
import { AuditResults } from "./AuditResults";
import { auditOf } from "./documents";

const LOOKED_AT = 100;
/** A line of the log that only tells of a stage and its steps, such as "comparing references (100)". */
const STAGE = /^[a-z ]+ \(\d+\)$/;

/** Looks for references that do not belong, near-duplicates, and whether there are enough. */
export function Audits({ name, version }: { name: string; version: string }) {
  const { service } = useSession();
  const [begun, setBegun] = useState<string>();
  const { refused, attempt } = useAttempt();
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/jobs", { params: { query: { class_name: name, limit: LOOKED_AT } }, signal }),
      ),
    [service, name],
  );
  const audits = value?.jobs.filter(({ kind }) => kind === "audit") ?? [];
  const newest =
    audits.find((job) => !hasEnded(job)) ?? audits.find(({ state }) => state === "done") ?? audits[0];
  const followed = useJob(begun ?? newest?.id ?? null);
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  const { job } = followed;
  const runs = job !== undefined && !hasEnded(job);
  const start = () =>
    attempt(async () => {
      const asked = service.api.POST("/classes/{class_name}/audit", {
        params: { path: { class_name: name } },
      });
      setBegun((await service.ask(asked)).id);
    });
  return (
    <section class="sheet">
      <p class="row">
        <span class="soft">{say("auditSays")}</span>
        <button type="button" class="button" disabled={runs} onClick={() => void start()}>
          {say("startAudit")}
        </button>
      </p>
      {refused && <Failure failure={refused} />}
      {followed.failure && <Failure failure={followed.failure} />}
      {job && <Progress job={job} />}
      {job?.state === "done" && <Done name={name} version={version} job={job} />}
    </section>
  );
}

function Progress({ job }: { job: Job }) {
  if (job.error)
    return (
      <p class="hint" role="alert">
        <Fault code={job.error.code} message={job.error.message} />
      </p>
    );
  if (hasEnded(job)) return null;
  const { progress } = job;
  return (
    <div role="status">
      <p>{progress ? progress.stage : say(job.state === "queued" ? "jobQueued" : "jobRuns")}</p>
      <progress
        aria-label={say("auditTab")}
        {...(progress?.total ? { value: progress.done, max: progress.total } : {})}
      />
    </div>
  );
}

function Done({ name, version, job }: { name: string; version: string; job: Job }) {
  const result = auditOf(job);
  if (!result) return null;
  return (
    <>
      <p class="soft">
        {say("auditOf", { time: moment(job.ended_at ?? job.created_at), version: result.version })}
      </p>
      {result.version !== version && <p class="hint">{say("auditOlder")}</p>}
      {job.log
        .filter(({ text }) => !STAGE.test(text))
        .map(({ at, text }) => (
          <p key={at} class="hint">
            {text}
          </p>
        ))}
      <AuditResults name={name} result={result} />
    </>
  );
}
