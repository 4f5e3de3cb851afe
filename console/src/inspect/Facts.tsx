import type { Detection } from "../api/service";
import { figure, percent, say } from "../words";
import type { Setting } from "./trial";

/** What the answer says in figures; the thresholds are those of the trial, if there is one. */
export function Facts({ detection, setting }: { detection: Detection; setting: Setting | null }) {
  const threshold = setting?.threshold ?? detection.threshold;
  const review = setting?.review_threshold ?? detection.review_threshold;
  const { class_name, class_confidence: confidence } = detection;
  const rows: [string, string | null][] = [
    [say("product"), class_name],
    [say("confidence"), confidence === null || class_name === null ? null : percent(confidence)],
    [say("score"), shown(detection.anomaly_score)],
    [say("threshold"), shown(threshold)],
    [say("reviewAbove"), shown(review)],
    [say("pValue"), shown(detection.p_value, 2)],
  ];
  return (
    <dl class="facts">
      {rows.map(([name, value]) =>
        value === null ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="name">{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function shown(value: number | null, digits = 4): string | null {
  return value === null ? null : figure(value, digits);
}
