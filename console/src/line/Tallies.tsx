import { clockTime, figure, percent, say } from "../words";
import type { Tally } from "./counts";

interface Given {
  tally: Tally;
  /** Number of unknown products; null where they are not shown here. */
  unknown: number | null;
  since: Date;
  small: boolean;
}

/** What the shift has seen so far. */
export function Tallies({ tally, unknown, since, small }: Given) {
  const parts = tally.pass + tally.review + tally.reject;
  const rate = parts === 0 ? "–" : percent(tally.reject / parts, 2);
  const rows: [string, string, string][] = [
    ["", say("parts"), figure(parts, 9)],
    ["pass", say("pass"), figure(tally.pass, 9)],
    ["review", say("review"), figure(tally.review, 9)],
    ["reject", say("reject"), figure(tally.reject, 9)],
    ["rate", say("rejectRate"), rate],
  ];
  if (tally.camera > 0) rows.push(["", say("cameraFault"), figure(tally.camera, 9)]);
  if (unknown) rows.push(["unknownProduct", say("unknownProduct"), figure(unknown, 9)]);
  return (
    <div class="tallies">
      {!small && <p>{say("shiftSince", { time: clockTime(since, "short") })}</p>}
      <dl>
        {rows.map(([kind, title, value]) => (
          <div key={title} class={kind}>
            <dt>{title}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
