import { Stored } from "../parts/Stored";
import { figure, moment, say } from "../words";
import { type DryRun, pathOf } from "./recorded";

/** What would change, before anything is changed. `hides`: whether it would let things pass that did not. */
export function DryRunReport({ run, hides }: { run: DryRun; hides: boolean }) {
  const { itself, flips, changed, looked_at, without_picture, failed } = run;
  const rows = [...flips, ...changed];
  const wrong = hides ? run.confirmed_defects_hidden : run.confirmed_good_rejected;
  return (
    <section class="dryrun" aria-live="polite">
      <p>
        {say("itselfWould", {
          decision: say(itself.decision as "pass"),
          score: figure(Number(itself.score.toFixed(4))),
          threshold: figure(itself.threshold),
        })}
      </p>
      <p>
        {say("lookedAt", { count: looked_at })}{" "}
        {rows.length === 0 ? say("noneWouldChange") : say("wouldChange", { count: rows.length })}
      </p>
      {wrong > 0 && (
        <p class="alarm" role="alert">
          {say(hides ? "defectsHidden" : "goodRejected", { count: wrong })}
        </p>
      )}
      {without_picture > 0 && <p class="soft">{say("withoutPicture", { count: without_picture })}</p>}
      {failed.map((text) => (
        <p key={text} class="soft">
          {text}
        </p>
      ))}
      <ul class="changes">
        {rows.map(({ detection_id, file_name, at, word, before, after }) => (
          <li key={detection_id}>
            <Stored name="thumbnail" path={pathOf(detection_id, "thumbnail")} alt={file_name} />
            <span>
              <strong class="name">{file_name}</strong>
              <br />
              {`${say(before.decision as "pass")} → ${say(after.decision as "pass")}`}
              <span class="soft">
                {[moment(at), word && say(`word_${word}`)].filter(Boolean).join(" · ")}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
