import { language } from "../words";
import errors from "./es/errors.json";
import notices from "./es/notices.json";
import reasons from "./es/reasons.json";

/** A sentence of the service in the page's language; `original` are the service's own words, where these are others. */
export interface Told {
  readonly text: string;
  readonly original?: string;
}

const ERRORS: Readonly<Record<string, string>> = errors;
const REASONS: Readonly<Record<string, string>> = reasons;
/** How the service puts it, and the same in Spanish with its {1}, {2} ... */
const NOTICES = Object.values(notices).map(
  ([pattern, text]) => [new RegExp(`^(?:${pattern})$`, "s"), text] as [RegExp, string],
);

/** An error by its code; of one that is not known the service's own words. */
export function error(code: string, message: string): Told {
  return told(ERRORS[code], message);
}

/** Why a picture was set aside, or not read, by the code of the reason. */
export function reason(code: string, message: string): Told {
  return told(REASONS[code] ?? ERRORS[code], message);
}

/** A warning or a remark, which has no code: by the words that the service puts it in. */
export function notice(message: string): Told {
  for (const [pattern, text] of NOTICES) {
    const found = pattern.exec(message);
    if (found)
      return told(
        text.replace(/\{(\d)\}/g, (_, place: string) => found[Number(place)] ?? ""),
        message,
      );
  }
  return { text: message };
}

function told(text: string | undefined, message: string): Told {
  if (language === "en" || !text) return { text: message };
  return message ? { text, original: message } : { text };
}
