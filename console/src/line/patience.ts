import { useState } from "preact/hooks";

const PATIENCE = "patchbank-patience";
const UNKNOWN = "patchbank-unknown";

/** Seconds without a picture after which a verdict is too old to be shown. */
export const PATIENCES = [5, 10, 30, 60, 300, 1_800];

export function usePatience(): readonly [number, (seconds: number) => void] {
  const [seconds, setSeconds] = useState(() => {
    const kept = Number(localStorage.getItem(PATIENCE));
    return PATIENCES.includes(kept) ? kept : 60;
  });
  const put = (chosen: number) => {
    localStorage.setItem(PATIENCE, String(chosen));
    setSeconds(chosen);
  };
  return [seconds, put];
}

/** Whether a tile shows pictures of unknown products, too: they have no class, and may come from another line. */
export function useUnknown(): readonly [boolean, (shown: boolean) => void] {
  const [shown, setShown] = useState(() => localStorage.getItem(UNKNOWN) !== "no");
  const put = (chosen: boolean) => {
    localStorage.setItem(UNKNOWN, chosen ? "yes" : "no");
    setShown(chosen);
  };
  return [shown, put];
}
