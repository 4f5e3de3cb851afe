import en from "./words/en.json";
import es from "./words/es.json";

export type Word = keyof typeof en;
type Catalogue = Record<Word, string>;

export const language: "en" | "es" = navigator.language.toLowerCase().startsWith("es") ? "es" : "en";
const catalogue: Catalogue = language === "es" ? es : en;

/** The text of a word in the browser's language, its {places} filled. */
export function say(word: Word, places: Record<string, string | number> = {}): string {
  return catalogue[word].replace(/\{(\w+)\}/g, (_, name: string) => String(places[name] ?? ""));
}

export function figure(value: number, digits = 4): string {
  return value.toLocaleString(language, { maximumSignificantDigits: digits });
}
