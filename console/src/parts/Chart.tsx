import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "../shell/theme";
import { language, say } from "../words";

export interface Series {
  readonly title: string;
  /** One a moment; null where there is none. */
  readonly values: readonly (number | null)[];
}

/** Colours that colour-blind people tell apart (Okabe and Ito), with strokes that tell them apart, too. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c8c2a", "#7a6fd0"];
const DASHES = [[], [10, 5], [3, 4], [12, 4, 3, 4], [], [10, 5], [3, 4], [12, 4, 3, 4]];
export const MOST_SERIES = COLOURS.length;

interface Given {
  /** What it shows; the numbers are to be in a table beside it. */
  label: string;
  /** Moments, in seconds since 1970. */
  times: readonly number[];
  series: readonly Series[];
  /** A value as text, for the axis and the legend. */
  told: (value: number) => string;
  /** Bars from the ground instead of lines. */
  stepped?: boolean;
  height?: number;
}

/** Values over time, one line for each series; the legend tells those under the pointer. */
export function Chart({ label, times, series, told, stepped = false, height = 220 }: Given) {
  const place = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  useEffect(() => {
    const holder = place.current;
    if (!holder) return;
    const { color, borderTopColor } = getComputedStyle(holder);
    const step = (times[1] ?? 0) - (times[0] ?? 0);
    const edges: [number, number] = [times[0] ?? 0, (times.at(-1) ?? 0) + step];
    const axis = { stroke: color, grid: { stroke: borderTopColor, width: 1 }, ticks: { show: false } };
    const steps = stepped ? uPlot.paths.stepped?.({ align: 1, extend: true }) : undefined;
    const chart = new uPlot(
      {
        width: holder.clientWidth,
        height,
        padding: [null, 28, null, null], // the last mark of the time axis is as wide
        cursor: { y: false },
        tzDate: (seconds) => new Date(seconds * 1_000),
        scales: { x: { range: edges }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [
          { ...axis, space: 84, values: (_, marks) => marks.map((mark, at) => timeMark(mark, marks, at)) },
          { ...axis, size: 72, values: (_, marks) => marks.map((value) => told(value)) },
        ],
        series: [
          {
            label: say("time"),
            value: (_, seconds) =>
              seconds === null ? "–" : new Date(seconds * 1_000).toLocaleString(language),
          },
          ...series.map(({ title }, number) => ({
            label: title,
            stroke: COLOURS[number % MOST_SERIES] as string,
            dash: DASHES[number % MOST_SERIES] as number[],
            width: 2,
            points: stepped ? { show: false } : { size: 6 },
            spanGaps: false,
            value: (_: uPlot, value: number | null) => (value === null ? "–" : told(value)),
            ...(steps ? { paths: steps } : {}),
          })),
        ],
      },
      [times as number[], ...series.map(({ values }) => values as (number | null)[])],
      holder,
    );
    const watcher = new ResizeObserver(() => chart.setSize({ width: holder.clientWidth, height }));
    watcher.observe(holder);
    return () => {
      watcher.disconnect();
      chart.destroy();
    };
  }, [times, series, told, stepped, height, theme]);
  return <div ref={place} class="chart" role="img" aria-label={label} />;
}

/** A mark of the time axis: the date where a day begins or it is the first, else the time. */
function timeMark(mark: number, marks: readonly number[], at: number): string {
  const moment = new Date(mark * 1_000);
  const daily = (marks[1] ?? 0) - (marks[0] ?? 0) >= 86_400;
  const date = moment.toLocaleDateString(language, { day: "numeric", month: "short" });
  if (daily) return date;
  const time = moment.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  return at === 0 || (moment.getHours() === 0 && moment.getMinutes() === 0) ? `${time}\n${date}` : time;
}
