import { useState } from "preact/hooks";
import type { Detection } from "../api/service";
import { Badge } from "../parts/Badge";
import { explained, outcomeOf } from "../parts/outcome";
import { figure, say } from "../words";
import type { Item } from "./queue";

/** What the service said of one picture, beside the picture. */
export function Verdict({ item }: { item: Item }) {
  const { detection } = item;
  return (
    <article class="verdict" aria-live="polite">
      <h2 class="name">{item.file.name}</h2>
      {detection ? <Said detection={detection} /> : <p>{item.failure ?? say(item.state as "waiting")}</p>}
      <Picture item={item} />
    </article>
  );
}

function Said({ detection }: { detection: Detection }) {
  const outcome = outcomeOf(detection);
  const fault = detection.frame_fault ? ` (${say(detection.frame_fault)})` : "";
  const defects = detection.regions.flatMap((region) => (region.defect ? [region.defect.name] : []));
  const others = Object.entries(detection.all_class_scores).filter(([name]) => name !== detection.class_name);
  const facts: [string, string | null][] = [
    [say("product"), detection.class_name],
    [say("score"), detection.anomaly_score === null ? null : figure(detection.anomaly_score)],
    [say("threshold"), detection.threshold === null ? null : figure(detection.threshold)],
    [say("pValue"), detection.p_value === null ? null : figure(detection.p_value, 2)],
    [say("runnersUp"), others.map(([name, share]) => `${name} ${figure(share, 2)}`).join(", ") || null],
    [say("time"), `${figure(detection.processing_time_ms, 3)} ms`],
  ];
  return (
    <>
      <Badge outcome={outcome} large />
      <p>
        {say(explained(outcome))}
        {fault} {[...new Set(defects)].join(", ")}
      </p>
      <dl>
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      <ul class="warnings">
        {detection.warnings.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </>
  );
}

function Picture({ item }: { item: Item }) {
  const [size, setSize] = useState<[number, number] | null>(null);
  const [shown, setShown] = useState(true);
  const map = item.detection?.anomaly_map_base64;
  if (map) return <img class="picture" alt={say("picture")} src={`data:image/png;base64,${map}`} />;
  if (!shown) return <p class="cannot">{say("cannotShow")}</p>;
  return (
    <div class="picture">
      <img
        alt={item.file.name}
        src={item.url}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
          setSize([naturalWidth, naturalHeight])
        }
        onError={() => setShown(false)}
      />
      {size && (
        <svg viewBox={`0 0 ${size[0]} ${size[1]}`} aria-hidden="true">
          {item.detection?.regions.map(({ box: [left, top, right, bottom] }) => (
            <rect key={`${left} ${top}`} x={left} y={top} width={right - left} height={bottom - top} />
          ))}
        </svg>
      )}
    </div>
  );
}
