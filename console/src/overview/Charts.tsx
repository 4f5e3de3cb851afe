import { useMemo } from "preact/hooks";
import { Chart, MOST_SERIES } from "../parts/Chart";
import { figure, moment, percent, say } from "../words";
import { drawn, type Overview, rejectShare, seriesOf, stretches } from "./numbers";

const ofClass = (name: string | null) => name ?? say("unknownProduct");
const images = (value: number) => figure(value, 6);
const share = (value: number) => percent(value, 2);
const milliseconds = (value: number) => `${figure(value, 3)} ms`;

/** Images, rejects and times by class, each as a chart; the numbers are in a table below. */
export function Charts({ overview }: { overview: Overview }) {
  const made = useMemo(() => {
    const times = stretches(overview);
    const classes = drawn(overview);
    const known = classes.filter(({ class_name }) => class_name !== null);
    return {
      times,
      images: seriesOf(classes, times, ofClass, ({ images: count }) => count, 0),
      shares: seriesOf(known, times, ofClass, rejectShare, null),
      slow: seriesOf(classes, times, ofClass, ({ p95_ms }) => p95_ms, null),
    };
  }, [overview]);
  return (
    <>
      <section class="sheet">
        <h2>{say("imagesChart")}</h2>
        <Chart label={say("imagesChart")} times={made.times} series={made.images} told={images} stepped />
      </section>
      <section class="sheet">
        <h2>{say("shareChart")}</h2>
        <Chart label={say("shareChart")} times={made.times} series={made.shares} told={share} />
      </section>
      <section class="sheet">
        <h2>{say("timeChart")}</h2>
        <Chart label={say("timeChart")} times={made.times} series={made.slow} told={milliseconds} />
      </section>
      {overview.classes.length > MOST_SERIES && (
        <p class="soft">{say("chartsMost", { count: MOST_SERIES, all: overview.classes.length })}</p>
      )}
      <details class="sheet">
        <summary>{say("asTable")}</summary>
        <NumbersTable overview={overview} />
      </details>
    </>
  );
}

function NumbersTable({ overview }: { overview: Overview }) {
  return (
    <div class="scrolled">
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{say("from")}</th>
            <th scope="col">{say("className")}</th>
            <th scope="col">{say("images")}</th>
            <th scope="col">{say("rejectRate")}</th>
            <th scope="col">{say("slowTime")}</th>
          </tr>
        </thead>
        <tbody>
          {overview.classes.flatMap(({ class_name: name, buckets }) =>
            buckets.map((numbers) => (
              <tr key={`${name} ${numbers.begin}`}>
                <td>{moment(numbers.begin)}</td>
                <td>{ofClass(name)}</td>
                <td>{images(numbers.images)}</td>
                <td>{name === null ? "–" : told(rejectShare(numbers))}</td>
                <td>{milliseconds(numbers.p95_ms)}</td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </div>
  );
}

export function told(value: number | null): string {
  return value === null ? "–" : share(value);
}
