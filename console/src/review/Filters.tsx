import { Choice } from "../parts/Choice";
import { ClassField } from "../parts/ClassField";
import { say } from "../words";

export interface Filter {
  readonly className: string;
  readonly order: "nearest" | "newest";
  readonly decision: "" | "pass" | "review" | "reject";
  readonly word: "none" | "any" | "" | "correct" | "false_alarm" | "missed" | "unsure";
  readonly since: "1h" | "8h" | "24h" | "7d" | "30d" | "";
}

export const QUEUE: Filter = { className: "", order: "nearest", decision: "", word: "none", since: "7d" };

const ORDERS = { nearest: "orderNearest", newest: "orderNewest" } as const;
const DECISIONS = { "": "anyVerdict", pass: "pass", review: "review", reject: "reject" } as const;
const SAID = {
  none: "saidNothing",
  any: "saidAny",
  "": "saidWhatever",
  correct: "word_correct",
  false_alarm: "word_false_alarm",
  missed: "word_missed",
  unsure: "word_unsure",
} as const;
const TIMES = {
  "1h": "lastHour",
  "8h": "lastShift",
  "24h": "lastDay",
  "7d": "lastWeek",
  "30d": "lastMonth",
  "": "allTime",
} as const;

/** The filter as the service takes it. */
export function queryOf({ className, decision, word, since }: Filter) {
  return {
    ...(className && { class_name: className }),
    ...(decision && { decision }),
    ...(word && { word }),
    ...(since && { since }),
  };
}

/** Which detections are looked at, and in which order. */
export function Filters({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const set = (change: Partial<Filter>) => onChange({ ...filter, ...change });
  return (
    <search class="filters" aria-label={say("filters")}>
      <ClassField
        value={filter.className}
        empty={say("allClasses")}
        onChange={(className) => set({ className })}
      />
      <Choice label={say("order")} names={ORDERS} value={filter.order} onChange={(order) => set({ order })} />
      <Choice
        label={say("ofVerdict")}
        names={DECISIONS}
        value={filter.decision}
        onChange={(decision) => set({ decision })}
      />
      <Choice label={say("peopleSaid")} names={SAID} value={filter.word} onChange={(word) => set({ word })} />
      <Choice label={say("period")} names={TIMES} value={filter.since} onChange={(since) => set({ since })} />
    </search>
  );
}
