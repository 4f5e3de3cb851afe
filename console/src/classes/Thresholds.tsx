import { Link } from "wouter-preact";
import { Facts } from "../parts/Facts";
import { Stored } from "../parts/Stored";
import { figure, percent, say, size } from "../words";
import type { ClassDetail } from "./ClassPage";
import { type Calibration, calibrationOf } from "./documents";
import { Histogram } from "./Histogram";

const SHOWN = 6;

/** What the class decides by, and the pictures that set it. */
export function Thresholds({ detail }: { detail: ClassDetail }) {
  const calibration = calibrationOf(detail);
  const { smallest_visible: smallest } = detail;
  const patch = smallest?.patch.map((side) => figure(side, 3)).join(" × ");
  return (
    <>
      <section class="sheet">
        <h2>{say("sizeTitle")}</h2>
        <Facts
          rows={[
            [say("references"), figure(detail.references, 9)],
            [say("patches"), figure(detail.patches, 9)],
            [say("vectorBytes"), size(detail.vector_bytes)],
            [say("knownDefects"), figure(detail.known_defects, 9)],
            [say("backbone"), detail.backbone],
            [say("detail"), detail.detail],
            [say("smallest"), patch ? say("smallestSays", { patch }) : null],
            [say("inspected"), percent(detail.inspected_percentage / 100, 3)],
            [say("coreset"), detail.coreset ? percent(detail.coreset.ratio ?? 1, 3) : null],
          ]}
        />
      </section>
      <section class="sheet">
        <h2>{say("thresholdsTab")}</h2>
        <Facts
          rows={[
            [say("threshold"), figure(detail.threshold)],
            [say("reviewThreshold"), figure(detail.review_threshold)],
          ]}
        />
        <Promised calibration={calibration} />
        {calibration.scores.length > 0 && (
          <Histogram
            scores={calibration.scores}
            threshold={detail.threshold}
            review={detail.review_threshold}
          />
        )}
        <Highest name={detail.class_name} calibration={calibration} threshold={detail.threshold} />
      </section>
    </>
  );
}

/** What the thresholds promise, and what stands in the way. */
function Promised({ calibration }: { calibration: Calibration }) {
  const asked = { rate: percent(calibration.target_far, 3), review: percent(calibration.review_far, 3) };
  const kept = { rate: percent(calibration.promised, 3), review: percent(calibration.review_promised, 3) };
  return (
    <>
      <p>
        {say("promiseSays", {
          ...kept,
          count: figure(calibration.count, 9),
          how: say(calibration.method === "held-out" ? "heldOut" : "leftOut"),
        })}
        {calibration.confidence !== null &&
          ` ${say("confidenceSays", { rate: percent(calibration.confidence, 3) })}`}
      </p>
      {!calibration.reachable && <p class="hint">{say("tooFewSays", asked)}</p>}
      {calibration.stale > 0 && <p class="hint">{say("staleSays", { count: calibration.stale })}</p>}
      {calibration.set_aside > 0 && (
        <p class="hint">{say("setAsideSays", { count: calibration.set_aside })}</p>
      )}
      {calibration.together > 0 && <p class="hint">{say("togetherSays", { count: calibration.together })}</p>}
    </>
  );
}

interface Ranked {
  name: string;
  calibration: Calibration;
  threshold: number;
}

/** The calibration images with the highest scores: the thresholds rest on them, so they should show good parts. */
function Highest({ name, calibration, threshold }: Ranked) {
  const { scores, images, method } = calibration;
  const ranked = scores
    .map((score, place) => ({ score, image: images[place] ?? "" }))
    .filter(({ image }) => image !== "")
    .sort((one, other) => other.score - one.score)
    .slice(0, SHOWN);
  if (method !== "leave-one-image-out" || ranked.length === 0) return null;
  return (
    <>
      <h3>{say("highestTitle")}</h3>
      <p class="soft">
        {say("highestSays")} <Link href={`/teach/class/${name}`}>{say("changeReferences")}</Link>
      </p>
      <ul class="strip">
        {ranked.map(({ score, image }) => (
          <li key={image}>
            <Stored path={`/classes/${name}/references/${image}/thumbnail`} alt={image} name="thumb" />
            <span class={score > threshold ? "above" : ""}>{figure(score, 3)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
