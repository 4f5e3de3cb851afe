import { figure, say } from "../words";
import type { Sensitivity as Table } from "./trial";

interface Given {
  table: Table;
  /** The row that is tried; null: what the class has. */
  row: number | null;
  onChange: (row: number | null) => void;
}

/** Chooses by false alarms what another sensitivity would have said; it changes nothing in the service. */
export function Sensitivity({ table, row, onChange }: Given) {
  const { present, settings } = table;
  const shown = row === null ? present : (settings[row] ?? present);
  const rate = say("alarms", { count: figure(shown.false_alarms_per_1000, 2) });
  return (
    <div class="sensitivity">
      <label class="slider">
        <span class="what">
          {say("sensitivity")} <strong>{rate}</strong>
        </span>
        <input
          type="range"
          min={0}
          max={settings.length - 1}
          value={row ?? nearestRow(table)}
          aria-valuetext={rate}
          onInput={(event) => onChange(Number(event.currentTarget.value))}
        />
        <span class="ends" aria-hidden="true">
          <span>{say("fewerAlarms")}</span>
          <span>{say("moreFound")}</span>
        </span>
      </label>
      {row === null ? (
        <p class="remark">{say("asCalibrated")}</p>
      ) : (
        <div class="trial" role="status">
          <p>{say("trialOnly")}</p>
          {!shown.within_sample && (
            <p>{say("beyondSample", { least: figure(table.least_false_alarms_per_1000, 2) })}</p>
          )}
          <button type="button" class="button plain" onClick={() => onChange(null)}>
            {say("backToCalibrated")}
          </button>
        </div>
      )}
    </div>
  );
}

/** The row whose rate is nearest to that of the class. */
function nearestRow({ present, settings }: Table): number {
  const far = settings.map((row) =>
    Math.abs(Math.log(row.false_alarms_per_1000 / present.false_alarms_per_1000)),
  );
  return far.indexOf(Math.min(...far));
}
