import { figure, say } from "../words";
import { SetAside } from "./SetAside";
import type { Taught, Told } from "./taught";

interface Given {
  taught: Taught;
  /** Under which name this page holds the pictures that were sent. */
  sentAs: string;
}

/** Pictures that did not become references, or set no threshold, each kind with its reasons. */
export function LeftOut({ taught, sentAs }: Given) {
  const kinds: { title: string; explained?: string; told: readonly Told[] }[] = [
    { title: say("setAside"), explained: say("setAsideMeans"), told: taught.set_aside },
    {
      title: say("doubtful"),
      explained: say("doubtfulSays"),
      told: taught.doubtful.map(({ path, score }) => ({
        path,
        message: say("scoresHigh", { score: figure(score) }),
        reason: "",
      })),
    },
    {
      title: say("notRead"),
      told: taught.skipped.map(({ path, code, message }) => ({ path, message, reason: code })),
    },
    {
      title: say("duplicates"),
      told: taught.duplicates.map((path) => ({ path, message: say("alreadyIn"), reason: "" })),
    },
  ];
  return (
    <>
      {kinds.map((kind) => kind.told.length > 0 && <SetAside key={kind.title} {...kind} sentAs={sentAs} />)}
    </>
  );
}
