import { Badge } from "../parts/Badge";
import { explained, type Outcome } from "../parts/outcome";
import { clockTime, duration, figure, say } from "../words";
import type { Tally } from "./counts";
import type { Recorded } from "./Feed";
import { LastReject } from "./LastReject";
import { defectsOf, PartPicture } from "./PartPicture";
import type { Shown } from "./state";
import { Tallies } from "./Tallies";

interface Given {
  name: string;
  shown: Shown;
  newest: Recorded | undefined;
  reject: Recorded | undefined;
  tally: Tally;
  unknown: number | null;
  since: Date;
  /** A small one among several: without the last reject. */
  small?: boolean;
}

/** One class on the line: the verdict on its last part, to be read from afar. */
export function Tile({ name, shown, newest, reject, tally, unknown, since, small = false }: Given) {
  const outcome = shown.kind === "verdict" ? shown.outcome : shown.kind;
  return (
    <section class={`tile ${small ? "small" : ""} shows-${outcome}`} aria-label={name}>
      <div class="tilehead">
        <h2>{name}</h2>
        <Clock shown={shown} />
      </div>
      <div class="giant" {...(shown.kind === "quiet" ? {} : { role: "status" })}>
        <Giant shown={shown} />
        {newest && shown.kind === "verdict" && <What detection={newest} outcome={shown.outcome} />}
      </div>
      <div class="tilepicture">
        {newest && shown.kind !== "empty" && (
          <PartPicture key={newest.id} detection={newest} small={small} live={shown.kind === "verdict"} />
        )}
      </div>
      {!small && (
        <div class="tilereject">
          {reject && <LastReject key={reject.id} name={name} detection={reject} />}
        </div>
      )}
      <Tallies tally={tally} unknown={unknown} since={since} small={small} />
    </section>
  );
}

/** What the word alone does not say. */
function What({ detection, outcome }: { detection: Recorded; outcome: Outcome }) {
  if (outcome === "knownDefect") return <p>{defectsOf(detection).join(", ")}</p>;
  if (outcome === "cameraFault" && detection.frame_fault) return <p>{say(detection.frame_fault)}</p>;
  if (outcome === "unlikeClass" || outcome === "unknownProduct") return <p>{say(explained(outcome))}</p>;
  return null;
}

const QUIET_SHAPES = {
  lost: "M2 2 22 22M8.500 16.500a5 5 0 0 1 6 -.6M5 12.900a10 10 0 0 1 5.200-2.700M1.500 9a15 15 0 0 1 4.200-2.600M10.500 5a15 15 0 0 1 12 4M15 10.700a10 10 0 0 1 4 2.200M12 20h.01",
  quiet: "M12 7v5l3.500 2M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM2 2 22 22",
  empty: "M3 5h18v14H3zM8 12h8",
  connecting: "M12 3a9 9 0 1 0 9 9",
} as const;

function Giant({ shown }: { shown: Shown }) {
  const text = shown.kind === "verdict" ? say(shown.outcome) : wording(shown);
  const style = { "--letters": text.length };
  if (shown.kind === "verdict") {
    return (
      <span class="word" style={style}>
        <Badge outcome={shown.outcome} large />
      </span>
    );
  }
  return (
    <span class={`badge large ${shown.kind}`} style={style}>
      <svg viewBox="0 0 24 24" aria-hidden="true" class="stroked">
        <path d={QUIET_SHAPES[shown.kind]} />
      </svg>
      <span>{text}</span>
    </span>
  );
}

function wording(shown: Exclude<Shown, { kind: "verdict" }>): string {
  if (shown.kind === "lost") {
    return shown.since === null
      ? say("lostFromTheStart")
      : say("lostSince", { time: clockTime(shown.since) });
  }
  if (shown.kind === "quiet") return say("quietFor", { time: duration(shown.seconds) });
  return say(shown.kind === "empty" ? "noPictureYet" : "connecting");
}

/** How old the verdict is. */
function Clock({ shown }: { shown: Shown }) {
  if (shown.kind !== "verdict") return null;
  return <span class="age">{say("secondsAgo", { time: duration(shown.seconds) })}</span>;
}

export function scoreLine(detection: Recorded): string | null {
  if (detection.score === null || detection.threshold === null) return null;
  return say("scoreOf", { score: figure(detection.score, 3), threshold: figure(detection.threshold, 3) });
}
