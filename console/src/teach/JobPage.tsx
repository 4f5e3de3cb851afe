import { useEffect, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { hasEnded, type Job, useJob } from "../api/job";
import { Refused } from "../api/service";
import { useSession } from "../api/session";
import { Failure } from "../parts/Failure";
import { Fault } from "../parts/Notice";
import { Progress } from "../parts/Progress";
import { moment, say, type Word } from "../words";
import { JobState } from "./JobState";
import { SetAside } from "./SetAside";
import { TaughtReport } from "./TaughtReport";
import { asideIn, taughtBy } from "./taught";

/** What the stages of the work are called for people; others are told as the service names them. */
const STAGES: Readonly<Record<string, Word>> = {
  embedding: "stageReading",
  "building the index": "stageIndex",
  "calibrating (leave one out)": "stageCalibrating",
  "scoring again (leave one out)": "stageCalibrating",
  "choosing the coreset": "stageCoreset",
  activating: "stageActivating",
  "looking for the references": "stageFinding",
};

/** One job: how far it is, and what came of it. */
export function JobPage({ id }: { id: string }) {
  const { reload } = useSession();
  const { job, failure } = useJob(id);
  const done = job?.state === "done";
  useEffect(() => {
    if (done) reload();
  }, [done]);
  if (!job && failure) return <Failure failure={failure} />;
  if (!job) return <p class="soft">{say("loading")}</p>;
  const taught = taughtBy(job);
  return (
    <>
      <p class="trail">
        <Link href="/teach">{say("teach")}</Link>
      </p>
      <h1 class="name">{job.class_name}</h1>
      <p class="progress">
        <JobState state={job.state} />
        <span class="soft">{`${say(`kind_${job.kind}`)}, ${moment(job.created_at)}`}</span>
      </p>
      {failure && <Failure failure={failure} />}
      {!hasEnded(job) && <Going job={job} />}
      {hasEnded(job) && !done && <Ended job={job} />}
      {taught && <TaughtReport job={job} taught={taught} />}
      {job.log.length > 0 && <Log job={job} />}
    </>
  );
}

function Going({ job }: { job: Job }) {
  const { service } = useSession();
  const [failure, setFailure] = useState<Refused | null>(null);
  const cancel = async () => {
    try {
      await service.ask(service.api.POST("/jobs/{job_id}/cancel", { params: { path: { job_id: job.id } } }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setFailure(error);
    }
  };
  const { progress } = job;
  const word = progress && STAGES[progress.stage];
  const stage = word ? say(word) : progress?.stage;
  const counted = progress?.total ? ` ${progress.done} / ${progress.total}` : "";
  return (
    <section class="sheet going" aria-live="polite">
      <Progress
        label={stage ? `${stage}${counted}` : say("jobWaits")}
        done={progress?.done ?? 0}
        all={progress?.total ?? null}
      />
      <button type="button" class="button plain" disabled={job.cancel_requested} onClick={cancel}>
        {job.cancel_requested ? say("cancelling") : say("cancel")}
      </button>
      {failure && <Failure failure={failure} deed />}
    </section>
  );
}

function Ended({ job }: { job: Job }) {
  const aside = asideIn(job);
  return (
    <>
      <div class="note" role="alert">
        <p>
          {job.error ? <Fault code={job.error.code} message={job.error.message} /> : say("cancelledWaiting")}
        </p>
        <p>
          {job.state === "failed" && say("nothingChanged")} {say("sentRemoved")}
        </p>
        {job.error?.code === "missing_originals" && (
          <p>
            {say("missingSays")} <Link href={`/teach/class/${job.class_name}`}>{job.class_name}</Link>
          </p>
        )}
      </div>
      {aside.length > 0 && <SetAside title={say("unlikeOthers")} told={aside} sentAs={job.id} />}
    </>
  );
}

function Log({ job }: { job: Job }) {
  return (
    <details class="sheet">
      <summary>{say("jobLog", { count: job.log.length })}</summary>
      <ul class="log">
        {job.log.map(({ at, text }) => (
          <li key={`${at} ${text}`}>{text}</li>
        ))}
      </ul>
    </details>
  );
}
