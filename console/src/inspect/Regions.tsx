import type { Detection } from "../api/service";
import { figure, say } from "../words";
import type { Point } from "./look";

const MOST = 8;

/** The anomalous places, the worst first; each can be compared with its nearest normal patch. */
export function Regions({ detection, onPick }: { detection: Detection; onPick: (point: Point) => void }) {
  const { regions } = detection;
  if (regions.length === 0) return null;
  const worst = [...regions].sort((one, other) => other.score - one.score);
  return (
    <section>
      <h3>{say("places")}</h3>
      <ul class="places">
        {worst.slice(0, MOST).map(({ peak, score, box, defect }) => (
          <li key={box.join()}>
            <button type="button" class="button plain" onClick={() => onPick(peak as unknown as Point)}>
              {defect ? `${defect.name} ` : ""}
              {figure(score, 3)}
            </button>
          </li>
        ))}
      </ul>
      {worst.length > MOST && <p class="remark">{say("morePlaces", { count: worst.length - MOST })}</p>}
    </section>
  );
}
