import { figure, say } from "../words";
import { histogram } from "./histogram";

const WIDE = 960;
const HIGH = 300;
const BELOW = 34;
const ABOVE = 64;

interface Given {
  scores: readonly number[];
  threshold: number;
  review: number;
}

/** The scores of the calibration images, with the two thresholds that were set by them. */
export function Histogram({ scores, threshold, review }: Given) {
  const bins = histogram(scores, [threshold, review]);
  const end = bins.at(-1)?.to ?? 1;
  const most = Math.max(...bins.map(({ count }) => count), 1);
  const x = (score: number) => (score / end) * WIDE;
  const y = (count: number) => HIGH - BELOW - (count / most) * (HIGH - BELOW - ABOVE);
  return (
    <figure class="histogram">
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={say("histogramSays", facts(scores))}>
        {bins.map(({ from, to, count }) => (
          <rect
            key={from}
            class="bar"
            x={x(from) + 1}
            width={Math.max(1, x(to) - x(from) - 2)}
            y={y(count)}
            height={HIGH - BELOW - y(count)}
          >
            <title>{say("binSays", { from: figure(from, 3), to: figure(to, 3), count })}</title>
          </rect>
        ))}
        <line class="axis" x1="0" x2={WIDE} y1={HIGH - BELOW} y2={HIGH - BELOW} />
        {bins
          .filter((_, place) => place % 4 === 0)
          .map(({ from }) => (
            <text key={from} x={x(from)} y={HIGH - 10} text-anchor={from === 0 ? "start" : "middle"}>
              {figure(from, 3)}
            </text>
          ))}
        <Limit
          at={x(review)}
          height={44}
          kind="review"
          text={`${say("reviewThreshold")} ${figure(review, 3)}`}
        />
        <Limit
          at={x(threshold)}
          height={18}
          kind="reject"
          text={`${say("threshold")} ${figure(threshold, 3)}`}
        />
      </svg>
      <details>
        <summary>{say("asTable")}</summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{say("score")}</th>
              <th scope="col">{say("pictures")}</th>
            </tr>
          </thead>
          <tbody>
            {bins
              .filter(({ count }) => count > 0)
              .map(({ from, to, count }) => (
                <tr key={from}>
                  <td>{`${figure(from, 3)} – ${figure(to, 3)}`}</td>
                  <td>{count}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

function facts(scores: readonly number[]) {
  const sorted = [...scores].sort((one, other) => one - other);
  return {
    count: sorted.length,
    least: figure(sorted[0] ?? 0, 3),
    most: figure(sorted.at(-1) ?? 0, 3),
  };
}

function Limit({ at, height, kind, text }: { at: number; height: number; kind: string; text: string }) {
  const left = at > WIDE / 2;
  return (
    <g class={`limit ${kind}`}>
      <line x1={at} x2={at} y1={height - 12} y2={HIGH - BELOW} />
      <text x={left ? at - 8 : at + 8} y={height} text-anchor={left ? "end" : "start"}>
        {text}
      </text>
    </g>
  );
}
