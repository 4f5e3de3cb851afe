import type { Detection } from "../api/service";
import { figure, say, type Word } from "../words";

const STAGES: Record<string, Word> = {
  decode: "stageDecode",
  embed: "stageEmbed",
  retrieve: "stageRetrieve",
  search: "stageSearch",
  render: "stageRender",
  record: "stageRecord",
};

/** Where the time of a verdict went, and what judged. */
export function Timings({ detection }: { detection: Detection }) {
  const stages = Object.entries(detection.timings_ms).filter(([name]) => name !== "total");
  const all = Math.max(detection.processing_time_ms, 1e-9);
  return (
    <details class="votes">
      <summary>{say("timings", { all: figure(detection.processing_time_ms, 3) })}</summary>
      <ul>
        {stages.map(([name, ms]) => (
          <li key={name}>
            <span class="name">{STAGES[name] ? say(STAGES[name]) : name}</span>
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${Math.min(100, (100 * ms) / all)}%` }} />
            </span>
            <span class="number">{figure(ms, 3)} ms</span>
          </li>
        ))}
      </ul>
      <p class="remark name">
        {detection.bank_version &&
          say("judgedBy", { version: detection.bank_version, backbone: detection.backbone })}
      </p>
    </details>
  );
}
