import { Link } from "wouter-preact";
import type { Job } from "../api/job";
import { Notice } from "../parts/Notice";
import { figure, percent, say } from "../words";
import { LeftOut } from "./LeftOut";
import { TryIt } from "./TryIt";
import type { Taught } from "./taught";

interface Given {
  job: Job;
  taught: Taught;
}

/** What a class can do now: its thresholds, what it sees, what was left out, and the way to try it. */
export function TaughtReport({ job, taught }: Given) {
  const { calibration, smallest_visible: smallest } = taught;
  const notices = noticesOf(job, taught);
  const facts: [string, string, string?][] = [
    [say("references"), String(taught.references), say("addedCount", { count: taught.added })],
    [
      say("threshold"),
      figure(taught.threshold),
      say("forReviewAbove", { score: figure(taught.review_threshold) }),
    ],
    [
      say("alarmsExpected"),
      say("atMost", { rate: percent(calibration.promised) }),
      say("alarmsSay", { rate: percent(calibration.review_promised) }),
    ],
    [
      say("smallestThing"),
      smallest
        ? `${Math.round(smallest.patch[0])} × ${Math.round(smallest.patch[1])} px`
        : say("notRecorded"),
      smallest
        ? say(smallest.shrunk > 1 ? "shrunk" : "notShrunk", { times: figure(smallest.shrunk, 2) })
        : "",
    ],
    [say("inspectedShare"), percent(taught.inspected_percentage / 100, 3)],
  ];
  return (
    <>
      <section class="sheet taught">
        <h2>{taught.serves ? say("classServes") : say("classWaits", { version: taught.version })}</h2>
        <dl class="facts">
          {facts.map(([name, value, more]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
              {more && <dd class="soft">{more}</dd>}
            </div>
          ))}
        </dl>
        <p>
          <Notice text={calibration.promise} />
        </p>
        <div class="actions">
          <Link class="button" href="/" state={{ className: taught.class_name }}>
            {say("inspectWith")}
          </Link>
          <Link class="button plain" href={`/teach/class/${taught.class_name}`}>
            {say("seeReferences")}
          </Link>
        </div>
      </section>
      {taught.serves && <TryIt className={taught.class_name} />}
      {notices.length > 0 && (
        <section class="sheet">
          <h2>{say("notices")}</h2>
          <ul class="notices">
            {notices.map((text) => (
              <li key={text}>
                <Notice text={text} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <LeftOut taught={taught} sentAs={job.id} />
    </>
  );
}

/** Lines of the log that are told below with their pictures. */
const OF_PICTURES =
  /^(skipped|set aside) |^\d+ (images were set aside|files hold a picture|of \d+ calibration images score far)/;

/** All that people should know: each once. What the job said of its work itself is left to the log. */
function noticesOf({ log }: Job, taught: Taught): string[] {
  const lines = log.map(({ text }) => text);
  const advice = lines.slice(lines.lastIndexOf("activating") + 1);
  const decoders = taught.warnings.map(({ warning, paths }) =>
    paths.length === 1 ? `${paths[0]}: ${warning}` : say("ofPictures", { count: paths.length, warning }),
  );
  const takes = taught.calibration.reachable ? [] : [taught.calibration.promise_takes];
  return [
    ...new Set([
      ...taught.remarks,
      ...decoders,
      ...advice.filter((text) => !OF_PICTURES.test(text)),
      ...takes,
    ]),
  ];
}
