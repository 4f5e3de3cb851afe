import { useLoaded } from "../api/loaded";
import type { Schema } from "../api/service";
import { useSession } from "../api/session";
import { Facts } from "../parts/Facts";
import { Failure } from "../parts/Failure";
import { Mark, type Tone } from "../parts/Mark";
import { Notice } from "../parts/Notice";
import { figure, moment, percent, say, type Word } from "../words";

type State = Schema["ClassDrift"]["state"];

const TONES: Record<State, Tone> = { ok: "good", watch: "watch", drifting: "bad", unknown: "quiet" };
const NAMES: Record<State, Word> = {
  ok: "driftOk",
  watch: "driftWatch",
  drifting: "driftDrifting",
  unknown: "driftUnknown",
};
const SAYS: Record<State, Word> = {
  ok: "driftOkSays",
  watch: "driftWatchSays",
  drifting: "driftDriftingSays",
  unknown: "driftUnknownSays",
};
const QUANTITIES = { score: "score", similarity: "similarity", brightness: "brightness" } as const;

export function DriftMark({ state }: { state: State }) {
  return <Mark tone={TONES[state]}>{say(NAMES[state])}</Mark>;
}

/** Whether recent pictures are still like those that the class was taught from. */
export function Drift({ name }: { name: string }) {
  const { service } = useSession();
  const { value, failure, again } = useLoaded(
    (signal) =>
      service.ask(
        service.api.GET("/classes/{class_name}/drift", { params: { path: { class_name: name } }, signal }),
      ),
    [service, name],
  );
  if (failure) return <Failure failure={failure} again={again} />;
  if (!value) return <p aria-busy="true">{say("loading")}</p>;
  return (
    <section class="sheet">
      <h2>
        <DriftMark state={value.state} />
      </h2>
      <p>{say(SAYS[value.state])}</p>
      {value.reason && (
        <p class="hint">
          <Notice text={value.reason} />
        </p>
      )}
      <Facts
        rows={[
          [say("pictures"), figure(value.images, 9)],
          [say("since"), value.since ? moment(value.since) : null],
          [say("until"), value.until ? moment(value.until) : null],
          [say("shift"), value.shift === null ? null : figure(value.shift, 2)],
          [say("falseAlarm"), value.false_alarm === null ? null : figure(value.false_alarm, 2)],
        ]}
      />
      {value.comparisons.length > 0 && <Comparisons rows={value.comparisons} />}
      {value.notes.map((note) => (
        <p key={note} class="hint">
          <Notice text={note} />
        </p>
      ))}
    </section>
  );
}

function Comparisons({ rows }: { rows: readonly Schema["DriftComparison"][] }) {
  return (
    <div class="scrolled">
      <table>
        <caption>{say("comparisonsSay")}</caption>
        <thead>
          <tr>
            <th scope="col">{say("quantity")}</th>
            <th scope="col">{say("newest")}</th>
            <th scope="col">{say("normalOnes")}</th>
            <th scope="col">{say("higher")}</th>
            <th scope="col">{say("falseAlarm")}</th>
            <th scope="col">{say("state")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.quantity} ${row.images}`}>
              <th scope="row">{say(QUANTITIES[row.quantity])}</th>
              <td>{row.images}</td>
              <td>{row.calibration}</td>
              <td>{percent(row.higher, 3)}</td>
              <td>{figure(row.false_alarm, 2)}</td>
              <td>
                <DriftMark state={row.state} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
