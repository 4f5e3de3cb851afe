import { useState } from "preact/hooks";

const KEPT = "patchbank-shift";
const LENGTHS = 24 * 3_600_000;

/** When the shift began, as the person at this monitor said; kept by the browser, so that a reload changes nothing. A
 * start that is a day old is another shift's: then it is midnight. */
export function useShift(): readonly [Date, (start: Date) => void] {
  const [start, setStart] = useState(kept);
  const put = (chosen: Date) => {
    localStorage.setItem(KEPT, chosen.toISOString());
    setStart(chosen);
  };
  return [start, put];
}

function kept(): Date {
  const stored = new Date(localStorage.getItem(KEPT) ?? "");
  if (Date.now() - stored.getTime() < LENGTHS) return stored;
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  return midnight;
}

/** The last moment at which a clock showed this time, such as 06:00. */
export function lastAt(clock: string, now = new Date()): Date | null {
  const [hours, minutes] = clock.split(":").map(Number);
  if (hours === undefined || minutes === undefined || Number.isNaN(hours + minutes)) return null;
  const moment = new Date(now);
  moment.setHours(hours, minutes, 0, 0);
  if (moment > now) moment.setDate(moment.getDate() - 1);
  return moment;
}

/** The time of a moment as a field for times wants it. */
export function clockOf(moment: Date): string {
  return `${String(moment.getHours()).padStart(2, "0")}:${String(moment.getMinutes()).padStart(2, "0")}`;
}
