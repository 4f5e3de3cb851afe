import { memo } from "preact/compat";
import { Link } from "wouter-preact";
import { figure, say, type Word } from "../words";
import { type Item, stateOf } from "./item";
import "./grid.css";
import { Mark } from "./Mark";
import { type Arrangement, type Column, counted, sortedBy } from "./order";
import { Thumb, type Thumbs } from "./Thumb";

const COLUMNS: readonly [Column, Word][] = [
  ["name", "fileName"],
  ["verdict", "verdict"],
  ["class", "product"],
  ["score", "score"],
  ["time", "time"],
];

interface Given {
  items: readonly Item[];
  /** Those of them that are shown, in their order. */
  shown: readonly Item[];
  by: Arrangement;
  onArrange: (by: Arrangement) => void;
  thumbs: Thumbs;
}

/** Many pictures as a list, to sort and to filter by outcome. */
export function Grid({ items, shown, by, onArrange, thumbs }: Given) {
  return (
    <section class="grid">
      <fieldset class="filters">
        <legend>{say("showOnly")}</legend>
        <button
          type="button"
          aria-pressed={by.only === null}
          onClick={() => onArrange({ ...by, only: null })}
        >
          {say("all")} <b>{items.length}</b>
        </button>
        {counted(items).map(([state, count]) => (
          <button
            key={state}
            type="button"
            aria-pressed={state === by.only}
            onClick={() => onArrange({ ...by, only: state === by.only ? null : state })}
          >
            <Mark state={state} /> <b>{count}</b>
          </button>
        ))}
      </fieldset>
      <table>
        <thead>
          <tr>
            <td />
            {COLUMNS.map(([column, title]) => (
              <th key={column} scope="col" class={column} aria-sort={sortOf(by, column)}>
                <button type="button" onClick={() => onArrange(sortedBy(column, by))}>
                  {say(title)}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((item) => (
            <Row key={item.id} item={item} thumbs={thumbs} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function sortOf(by: Arrangement, column: Column) {
  if (by.column !== column) return "none";
  return by.falling ? "descending" : "ascending";
}

const Row = memo(({ item, thumbs }: { item: Item; thumbs: Thumbs }) => {
  const { detection, failure } = item;
  return (
    <tr>
      <td class="small">
        <Thumb file={item.file} thumbs={thumbs} />
      </td>
      <th scope="row" class="name">
        <Link href={`/pictures/${item.id}`}>{item.file.name}</Link>
      </th>
      <td class="said">
        <Mark state={stateOf(item)} />
        {failure && <small>{failure.code}</small>}
      </td>
      <td class="class">{detection?.class_name}</td>
      <td class="score">{detection?.anomaly_score == null ? "" : figure(detection.anomaly_score)}</td>
      <td class="time">{detection ? `${figure(detection.processing_time_ms, 3)} ms` : ""}</td>
    </tr>
  );
});
