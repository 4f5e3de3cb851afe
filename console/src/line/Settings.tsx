import { duration, say } from "../words";
import { PATIENCES } from "./patience";
import { clockOf, lastAt } from "./shift";

interface Given {
  since: Date;
  onSince: (start: Date) => void;
  patience: number;
  onPatience: (seconds: number) => void;
  /** Whether unknown products are shown, too; null where that is no question. */
  unknown: boolean | null;
  onUnknown: (shown: boolean) => void;
}

/** What the person at this monitor chooses. The browser keeps it. */
export function Settings({ since, onSince, patience, onPatience, unknown, onUnknown }: Given) {
  return (
    <div class="linechoices">
      <label>
        {say("shiftStart")}
        <input
          type="time"
          value={clockOf(since)}
          onChange={(event) => {
            const start = lastAt(event.currentTarget.value);
            if (start) onSince(start);
          }}
        />
      </label>
      <button type="button" class="button plain" onClick={() => onSince(new Date())}>
        {say("shiftNow")}
      </button>
      <label>
        {say("patience")}
        <select value={patience} onChange={(event) => onPatience(Number(event.currentTarget.value))}>
          {PATIENCES.map((seconds) => (
            <option key={seconds} value={seconds}>
              {duration(seconds)}
            </option>
          ))}
        </select>
      </label>
      {unknown !== null && (
        <label class="choice">
          <input
            type="checkbox"
            checked={unknown}
            onChange={(event) => onUnknown(event.currentTarget.checked)}
          />
          {say("withUnknown")}
        </label>
      )}
    </div>
  );
}
