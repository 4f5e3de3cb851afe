import enClasses from "./words/en/classes.json";
import enInspect from "./words/en/inspect.json";
import enLine from "./words/en/line.json";
import enOverview from "./words/en/overview.json";
import enReview from "./words/en/review.json";
import enShared from "./words/en/shared.json";
import enShell from "./words/en/shell.json";
import enTeach from "./words/en/teach.json";
import esClasses from "./words/es/classes.json";
import esInspect from "./words/es/inspect.json";
import esLine from "./words/es/line.json";
import esOverview from "./words/es/overview.json";
import esReview from "./words/es/review.json";
import esShared from "./words/es/shared.json";
import esShell from "./words/es/shell.json";
import esTeach from "./words/es/teach.json";

const en = {
  ...enShared,
  ...enShell,
  ...enInspect,
  ...enTeach,
  ...enReview,
  ...enLine,
  ...enClasses,
  ...enOverview,
};

export type Word = keyof typeof en;
type Catalogue = Record<Word, string>;

const es: Catalogue = {
  ...esShared,
  ...esShell,
  ...esInspect,
  ...esTeach,
  ...esReview,
  ...esLine,
  ...esClasses,
  ...esOverview,
};

export const language: "en" | "es" = navigator.language.toLowerCase().startsWith("es") ? "es" : "en";
const catalogue: Catalogue = language === "es" ? es : en;

/** The text of a word in the browser's language, its {places} filled. */
export function say(word: Word, places: Record<string, string | number> = {}): string {
  return catalogue[word].replace(/\{(\w+)\}/g, (_, name: string) => String(places[name] ?? ""));
}

export function figure(value: number, digits = 4): string {
  return value.toLocaleString(language, { maximumSignificantDigits: digits });
}

/** A share as a percentage. */
export function percent(share: number, digits = 2): string {
  return share.toLocaleString(language, { style: "percent", maximumSignificantDigits: digits });
}

const BYTES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A number of bytes in a unit that suits it. */
export function size(bytes: number): string {
  const place = bytes < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(bytes) / 3));
  return (bytes / 1000 ** place).toLocaleString(language, {
    style: "unit",
    unit: BYTES[place] ?? "byte",
    unitDisplay: "short",
    maximumSignificantDigits: 3,
  });
}

/** A moment, in the browser's time zone: the time alone where it was today. */
export function moment(time: string | Date): string {
  const at = new Date(time);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(
    language,
    today ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" },
  );
}

/** A moment by the clock, to the second, or to the minute where it is `short`. */
export function clockTime(time: number | Date, style: "short" | "medium" = "medium"): string {
  const second = style === "medium" ? { second: "2-digit" as const } : {};
  return new Date(time).toLocaleTimeString(language, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...second,
  });
}

/** Seconds as seconds, minutes or hours. */
export function duration(seconds: number): string {
  const [value, unit] =
    seconds < 120
      ? [seconds, "second"]
      : seconds < 7_200
        ? [seconds / 60, "minute"]
        : [seconds / 3_600, "hour"];
  return Math.floor(value as number).toLocaleString(language, {
    style: "unit",
    unit: unit as string,
    unitDisplay: "short",
  });
}
