import { useId } from "preact/hooks";
import { say } from "../words";
import { wrongWith } from "./names";

interface Given {
  name: string;
  onName: (name: string) => void;
  /** Whether a class has this name already. */
  known: boolean;
  /** Whether the pictures are added to it; null: nobody has said. */
  extend: boolean | null;
  onExtend: (extend: boolean) => void;
}

/** The name of a class; of one that is there, what is to become of it. */
export function NameField({ name, onName, known, extend, onExtend }: Given) {
  const told = useId();
  const wrong = name === "" ? null : wrongWith(name);
  return (
    <>
      <label class="field">
        {say("className")}
        <input
          type="text"
          value={name}
          maxLength={200}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          aria-invalid={wrong !== null}
          aria-describedby={told}
          onInput={({ currentTarget }) => onName(currentTarget.value.trim())}
        />
      </label>
      <p id={told} class={wrong ? "wrong" : "soft"} role={wrong ? "alert" : undefined}>
        {wrong ? `${say(wrong)} (invalid_class_name)` : say("nameHint")}
      </p>
      {known && (
        <fieldset>
          <legend>{say("nameKnown", { name })}</legend>
          <Way checked={extend === true} onChoose={() => onExtend(true)} text={say("extendClass")} />
          <Way checked={extend === false} onChoose={() => onExtend(false)} text={say("replaceClass")} />
        </fieldset>
      )}
    </>
  );
}

function Way({ checked, onChoose, text }: { checked: boolean; onChoose: () => void; text: string }) {
  return (
    <label class="choice">
      <input type="radio" name="extend" checked={checked} onChange={onChoose} />
      {text}
    </label>
  );
}
