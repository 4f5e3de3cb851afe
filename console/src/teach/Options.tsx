import { Choice } from "../parts/Choice";
import { percent, say } from "../words";
import type { Picture } from "./pictures";

export interface Choices {
  readonly detail: "" | "fast" | "standard" | "fine";
  /** Rate of false alarms; empty: the service's. */
  readonly targetFar: string;
  readonly augment: "none" | "rotate" | "rotate45";
  readonly keepAll: boolean;
  readonly note: string;
}

export const USUAL: Choices = { detail: "", targetFar: "", augment: "none", keepAll: false, note: "" };

const DETAILS = {
  "": "detailUsual",
  fast: "detailFast",
  standard: "detailStandard",
  fine: "detailFine",
} as const;
const TURNS = { none: "turnsNone", rotate: "turnsQuarter", rotate45: "turnsEighth" } as const;
const RATES = ["0.005", "0.01", "0.02", "0.05", "0.1"];

/** The form that teaches or extends a class. What the class keeps is not sent with an extension. */
export function formOf(pictures: readonly Picture[], choices: Choices, adds: boolean): FormData {
  const form = new FormData();
  for (const { file, name } of pictures) form.append("files", file, name);
  if (adds) form.set("extend", "true");
  else if (choices.detail) form.set("detail", choices.detail);
  if (choices.targetFar) form.set("target_far", choices.targetFar);
  if (choices.augment !== "none") form.set("augment", choices.augment);
  if (choices.keepAll) form.set("keep_all", "true");
  if (choices.note) form.set("note", choices.note);
  return form;
}

interface Given {
  options: Choices;
  onChange: (options: Choices) => void;
  adds: boolean;
}

/** How a class is taught, as far as a person at the line decides it. */
export function Options({ options, onChange, adds }: Given) {
  const set = (change: Partial<Choices>) => onChange({ ...options, ...change });
  return (
    <>
      <div class="fields">
        {!adds && (
          <Choice
            label={say("detail")}
            names={DETAILS}
            value={options.detail}
            onChange={(detail) => set({ detail })}
          />
        )}
        <label class="field">
          {say("falseAlarms")}
          <select
            value={options.targetFar}
            onChange={({ currentTarget }) => set({ targetFar: currentTarget.value })}
          >
            <option value="">{adds ? say("asBefore") : say("asService")}</option>
            {RATES.map((rate) => (
              <option key={rate} value={rate}>
                {say("rateOfGood", { rate: percent(Number(rate)) })}
              </option>
            ))}
          </select>
        </label>
        <Choice
          label={say("turns")}
          names={TURNS}
          value={options.augment}
          onChange={(augment) => set({ augment })}
        />
      </div>
      <label class="choice">
        <input
          type="checkbox"
          checked={options.keepAll}
          onChange={({ currentTarget }) => set({ keepAll: currentTarget.checked })}
        />
        {say("keepAll")}
      </label>
      <label class="field wide">
        {say("note")}
        <input
          type="text"
          maxLength={2000}
          value={options.note}
          onInput={({ currentTarget }) => set({ note: currentTarget.value })}
        />
      </label>
    </>
  );
}
