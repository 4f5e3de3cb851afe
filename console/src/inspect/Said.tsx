import { Badge } from "../parts/Badge";
import { Fault, Notice } from "../parts/Notice";
import { explained, outcomeOf } from "../parts/outcome";
import { say } from "../words";
import { Facts } from "./Facts";
import type { Item } from "./item";
import { dependsOnScore, outcomeAt, type Setting } from "./trial";

/** The verdict on a picture, or why there is none; with a `setting`, what it would be with these thresholds. */
export function Said({ item, setting }: { item: Item; setting: Setting | null }) {
  const { detection, failure } = item;
  if (!detection)
    return (
      <div class="says" aria-live="polite">
        <h2 class="name name-of">{item.file.name}</h2>
        {failure ? (
          <>
            <span class="badge failed large">{say("failed")}</span>
            <p role="alert">
              <Fault code={failure.code} message={failure.message} />
            </p>
          </>
        ) : (
          <p class="badge large" aria-busy="true">
            {say(item.state === "waiting" ? "waiting" : "judging")}
          </p>
        )}
      </div>
    );
  const told = outcomeOf(detection);
  const outcome = setting ? outcomeAt(detection, setting) : told;
  const fault = detection.frame_fault ? ` (${say(detection.frame_fault)})` : "";
  const defects = detection.regions.flatMap((region) => (region.defect ? [region.defect.name] : []));
  return (
    <div class="says">
      <h2 class="name name-of">{item.file.name}</h2>
      <div aria-live="polite">
        {setting && <p class="tag">{say("trial")}</p>}
        <Badge outcome={outcome} large />
        <p>
          {say(explained(outcome))}
          {fault} <strong class="name">{[...new Set(defects)].join(", ")}</strong>
        </p>
      </div>
      {setting && (
        <p class="remark">
          {say(dependsOnScore(told) ? "servicesVerdict" : "notByScore")} <Badge outcome={told} />
        </p>
      )}
      <Facts detection={detection} setting={setting} />
      <ul class="warnings">
        {detection.warnings.map((text) => (
          <li key={text}>
            <Notice text={text} />
          </li>
        ))}
      </ul>
    </div>
  );
}
